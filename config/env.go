package config

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// variables returns what environ sets of ours. A variable that is empty counts as not set.
func variables(environ []string) map[string]string {
	set := map[string]string{}
	for _, item := range environ {
		name, value, _ := strings.Cut(item, "=")
		if strings.HasPrefix(name, envPrefix) && value != "" {
			set[name] = value
		}
	}
	return set
}

// applyEnv lays the environment over cfg.
func applyEnv(cfg *Config, environ []string, c *collector) {
	set := variables(environ)
	walk(reflect.ValueOf(cfg).Elem(), "", func(f field) {
		if value, ok := set[envName(f.path)]; ok {
			c.setFrom(f.value, f.path, value, origin{from: envName(f.path)})
		}
	})
	if value, ok := set[envPrefix+"SIP_LISTEN"]; ok && value != "" {
		c.add("sip", origin{from: envPrefix + "SIP_LISTEN"}, "%s", notYet["sip"])
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		applyAppEnv(cfg, name, set[name], c)
	}
}

func (c *collector) setFrom(v reflect.Value, path, text string, from origin) {
	c.origins[path] = from
	if err := setText(v, text); err != nil {
		c.add(path, from, "%s %v", quote(text, path), err)
	}
}

const appsEnv = envPrefix + "APPS_"

// applyAppEnv lays one variable over the settings of an app: PIOPIYD_APPS_NAME_TOKEN, PIOPIYD_APPS_NAME_ENV_KEY.
func applyAppEnv(cfg *Config, variable, value string, c *collector) {
	rest, ok := strings.CutPrefix(variable, appsEnv)
	if !ok {
		return
	}
	name, key := splitAppEnv(cfg, rest)
	if key == "" {
		return
	}
	app, known := cfg.Apps[name]
	if !known {
		app = defaultApp()
	}
	path := "apps." + name
	if envKey, ok := strings.CutPrefix(key, "ENV_"); ok {
		env := map[string]string{}
		for k, v := range app.Env {
			env[k] = v
		}
		env[envKey] = value
		app.Env = env
		c.origins[path+".env."+envKey] = origin{from: variable}
	} else {
		if strings.HasPrefix(key, "FAULT_") {
			fault := Fault{}
			if app.Fault != nil {
				fault = *app.Fault
			}
			app.Fault = &fault
		}
		walk(reflect.ValueOf(&app).Elem(), path, func(f field) {
			if f.value.Kind() != reflect.Map && upper(strings.TrimPrefix(f.path, path+".")) == key {
				c.setFrom(f.value, f.path, value, origin{from: variable})
			}
		})
	}
	if cfg.Apps == nil {
		cfg.Apps = map[string]App{}
	}
	cfg.Apps[name] = app
}

// splitAppEnv finds the app and the key in NAME_KEY. An app that the file names is meant before one that it does
// not; the latter's name is then in lower case.
func splitAppEnv(cfg *Config, rest string) (name, key string) {
	for app := range cfg.Apps {
		if k, ok := strings.CutPrefix(rest, upper(app)+"_"); ok && isAppKey(k) && len(app) > len(name) {
			name, key = app, k
		}
	}
	if name != "" {
		return name, key
	}
	if i := strings.Index(rest, "_ENV_"); i > 0 && len(rest) > i+len("_ENV_") {
		return strings.ToLower(rest[:i]), rest[i+1:]
	}
	for _, k := range appKeys() {
		if app, ok := strings.CutSuffix(rest, "_"+k); ok && app != "" && len(k) > len(key) {
			name, key = strings.ToLower(app), k
		}
	}
	return name, key
}

func isAppKey(key string) bool {
	return strings.HasPrefix(key, "ENV_") && len(key) > len("ENV_") || slices.Contains(appKeys(), key)
}

// appKeys are the keys of an app as environment variables spell them.
func appKeys() []string {
	var keys []string
	app := App{Fault: &Fault{}}
	walk(reflect.ValueOf(&app).Elem(), "", func(f field) {
		if f.value.Kind() != reflect.Map {
			keys = append(keys, upper(f.path))
		}
	})
	return keys
}

// orchestrated are variables that Kubernetes and Docker set for a service called piopiyd.
var orchestrated = regexp.MustCompile(`^PIOPIYD_(SERVICE_|PORT$|PORT_\d+_|ENV_|NAME$)`)

// UnknownEnv returns a sentence for each variable of the environment that begins with PIOPIYD_ and is none of
// ours. known names further variables that are right.
func UnknownEnv(environ []string, known ...string) []string {
	names := append([]string(nil), known...)
	for _, k := range Keys() {
		if !strings.HasPrefix(k.Env, appsEnv) {
			names = append(names, k.Env)
		}
	}
	var unknown []string
	for name := range variables(environ) {
		if slices.Contains(names, name) || orchestrated.MatchString(name) || name == envPrefix+"SIP_LISTEN" {
			continue
		}
		if rest, ok := strings.CutPrefix(name, appsEnv); ok {
			if _, key := splitAppEnv(&Config{}, rest); key != "" {
				continue
			}
		}
		text := "the environment variable " + name + " is unknown and has no effect"
		if meant := nearest(strings.ToLower(name), lowered(names)); meant != "" {
			text += "; did you mean " + strings.ToUpper(meant) + "?"
		}
		unknown = append(unknown, text)
	}
	slices.SortFunc(unknown, cmp.Compare[string])
	return unknown
}

func lowered(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strings.ToLower(name)
	}
	return list
}

package env_test

import (
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings/env"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func newKit(t *testing.T) *runtimetest.Kit {
	t.Setenv("PIOPIYD_TEST_SECRET", "from the process")
	k := runtimetest.New(t, env.New())
	k.Config.Settings = map[string]runtime.Settings{"test": {Env: map[string]string{"CRM_URL": "https://crm.example", "B": "2", "A": ""}}}
	return k
}

func TestEnv(t *testing.T) {
	k := newKit(t)
	for script, want := range map[string]string{
		`return [env.CRM_URL, env.A, env.NONE, env.PIOPIYD_TEST_SECRET]`:                     `["https://crm.example","",null,null]`,
		`return [Object.keys(env), { ...env }]`:                                              `[["A","B","CRM_URL"],{"A":"","B":"2","CRM_URL":"https://crm.example"}]`,
		`return ['B' in env, 'C' in env, typeof env.constructor, typeof env.toString]`:       `[true,false,"undefined","undefined"]`,
		`return [env.require('CRM_URL'), env.require('A')]`:                                  `["https://crm.example",""]`,
		`try { env.require('NONE') } catch (e) { return e.message }`:                         `"env.require: \"NONE\" is not set; add it to the configuration as apps.test.env.NONE"`,
		`try { env.require() } catch (e) { return e.name }`:                                  `"TypeError"`,
		`try { env.B = '3' } catch (e) { return [e.name, env.B] }; return env.B`:             `"2"`,
		`'use strict'; try { env.B = '3' } catch (e) { return [e.name, env.B] }`:             `["TypeError","2"]`,
		`'use strict'; try { env.NEW = '3' } catch (e) { return [e.name, env.NEW] }`:         `["TypeError",null]`,
		`'use strict'; try { delete env.B } catch (e) { return [e.name, env.B] }`:            `["TypeError","2"]`,
		`'use strict'; try { Object.getPrototypeOf(env).X = 1 } catch (e) { return e.name }`: `"TypeError"`,
		`return [Object.isFrozen(env), env === require('piopiy/env').env]`:                   `[true,true]`,
		`return typeof process`: `"undefined"`,
	} {
		if got := k.Eval("return JSON.stringify((() => {" + script + "\n})())"); got != want {
			t.Errorf("%s\n got %v\nwant %s", script, got, want)
		}
	}
}

func TestImport(t *testing.T) {
	k := newKit(t)
	s := k.Session(map[string]string{"main.ts": "import { env } from 'piopiy/env'\nimport other from 'piopiy/env'\nexport function main() { return env.B + (env === other) }"})
	if got, err := runtimetest.Call(t.Context(), s, "main"); got != "2true" || err != nil {
		t.Error(got, err)
	}
}

func TestMissingSettingNamesTheLine(t *testing.T) {
	f := newKit(t).Fault("env.require('KEY')")
	if f.Position.Line != 2 || !strings.Contains(f.Message, "apps.test.env.KEY") {
		t.Error(f)
	}
}

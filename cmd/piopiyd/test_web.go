package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/testrunner"
	"github.com/piopiy/piopiyd/webapp"
)

// webOfTests returns the apps that are web servers, for tests. They are asked over the network, since they are what is
// tested; what a stub stands for, and what is no app's, is not.
func webOfTests(cfg config.Config, stubs testrunner.Doer, log *slog.Logger) (*testrunner.Web, error) {
	hosts := map[string]bool{}
	for _, name := range webAppNames(cfg) {
		app := cfg.Apps[name]
		for _, address := range []string{app.AnswerURL, app.EventURL, app.CDRURL} {
			if u, err := url.Parse(address); err == nil {
				hosts[u.Host] = true
			}
		}
	}
	w, err := newWebAppsThrough(cfg, nil, log, func(network webapp.Doer) webapp.Doer { return stubsFirst{stubs, network, hosts} })
	if err != nil {
		return nil, err
	}
	return &testrunner.Web{Handler: w.or, Asker: w, Close: w.client.Close}, nil
}

// stubsFirst asks a test's stubs, and the apps' own servers where there is none.
type stubsFirst struct {
	stubs   testrunner.Doer
	network webapp.Doer
	hosts   map[string]bool
}

// Do implements webapp.Doer.
func (s stubsFirst) Do(r *http.Request) (*http.Response, error) {
	res, err := s.stubs.Do(r)
	switch {
	case !errors.Is(err, testrunner.ErrNoStub):
		return res, err
	case s.hosts[r.URL.Host]:
		return s.network.Do(r)
	}
	address := withoutSecrets(r.URL.String())
	return nil, fmt.Errorf("the test has no stub for %s: add stubFetch('%s', …)", address, address)
}

package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
)

// Credentials are what a request shows: AppID and Secret from the body of v1 and v2 (or from the query where a
// recording is asked for), Token from the header Authorization: Bearer of v3. What is absent is "".
type Credentials struct {
	AppID, Secret string
	Token         string
}

// Grant is what credentials allow.
type Grant struct {
	// App is the app that the credentials stand for. It may be empty with All.
	App string
	// All opens every app's calls, not only App's.
	All bool
}

// allows reports whether the grant reaches an app.
func (g Grant) allows(app string) bool { return g.All || app != "" && g.App == app }

// Authorize decides about credentials. It returns ErrCredentials for wrong or missing ones; any other error is
// answered 500. It compares secrets in constant time, as [Accounts] does.
type Authorize func(ctx context.Context, c Credentials) (Grant, error)

// ErrCredentials says that credentials are wrong.
var ErrCredentials = errors.New("the credentials are wrong")

// Everybody is the Authorize of a daemon that only its own machine can reach: it accepts all requests, with
// credentials or without.
func Everybody(context.Context, Credentials) (Grant, error) { return Grant{All: true}, nil }

// Account is one set of credentials: AppID and Secret, or Token.
type Account struct {
	// AppID is the app id in decimal digits and Secret its secret.
	AppID, Secret string
	// Token is a bearer token.
	Token string
	// Grant is what they allow.
	Grant Grant
}

// Accounts are configured credentials.
type Accounts struct{ list []account }

type account struct {
	id, secret, token [sha256.Size]byte
	classic, bearer   int
	grant             Grant
}

// NewAccounts returns Accounts. An account without a token has no access to v3, one without a secret none to v1
// and v2.
func NewAccounts(list []Account) *Accounts {
	a := &Accounts{}
	for _, one := range list {
		next := account{
			id: sha256.Sum256([]byte(one.AppID)), secret: sha256.Sum256([]byte(one.Secret)), token: sha256.Sum256([]byte(one.Token)),
			grant: one.Grant,
		}
		if one.AppID != "" && one.Secret != "" {
			next.classic = 1
		}
		if one.Token != "" {
			next.bearer = 1
		}
		a.list = append(a.list, next)
	}
	a.list = slices.Clip(a.list)
	return a
}

// Authorize is an [Authorize]. It takes the same time whichever account matches, and whether one does.
func (a *Accounts) Authorize(_ context.Context, c Credentials) (Grant, error) {
	id, secret, token := sha256.Sum256([]byte(c.AppID)), sha256.Sum256([]byte(c.Secret)), sha256.Sum256([]byte(c.Token))
	found := -1
	for i := range a.list {
		one := &a.list[i]
		classic := one.classic & subtle.ConstantTimeCompare(id[:], one.id[:]) & subtle.ConstantTimeCompare(secret[:], one.secret[:])
		bearer := one.bearer & subtle.ConstantTimeCompare(token[:], one.token[:])
		found = subtle.ConstantTimeSelect(classic|bearer, i, found)
	}
	if found < 0 {
		return Grant{}, ErrCredentials
	}
	return a.list[found].grant, nil
}

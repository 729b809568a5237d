package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// What this browser is doing: on its way to sign in, or signed in.
type visit struct {
	state, nonce, verifier string
	token                  *oauth2.Token
	idToken                string
	claims, userinfo       map[string]any
}

var (
	mutex  sync.Mutex
	visits = map[string]*visit{}
)

func main() {
	home := "http://localhost:" + os.Getenv("PORT")
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil {
		log.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Endpoint:     provider.Endpoint(),
		RedirectURL:  home + "/callback",
		Scopes:       []string{oidc.ScopeOpenID, "email", "profile", oidc.ScopeOfflineAccess},
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: config.ClientID})

	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		name := rand.Text()
		v := &visit{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
		mutex.Lock()
		visits[name] = v
		mutex.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "visit", Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, config.AuthCodeURL(v.state, oidc.Nonce(v.nonce), oauth2.S256ChallengeOption(v.verifier)), http.StatusFound)
	})

	http.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		if v == nil || r.URL.Query().Get("state") != v.state {
			http.Error(w, "state does not match", http.StatusBadRequest)
			return
		}
		token, err := config.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(v.verifier))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		raw, _ := token.Extra("id_token").(string)
		idToken, err := verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
		if err != nil || idToken.Nonce != v.nonce {
			http.Error(w, "the ID token is not for us", http.StatusBadGateway)
			return
		}
		info, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		claims, userinfo := map[string]any{}, map[string]any{}
		if idToken.Claims(&claims) != nil || info.Claims(&userinfo) != nil {
			http.Error(w, "claims cannot be read", http.StatusBadGateway)
			return
		}
		v.token, v.idToken, v.claims, v.userinfo = token, raw, claims, userinfo
		http.Redirect(w, r, "/me", http.StatusFound)
	})

	http.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		if v == nil || v.token == nil {
			answer(w, http.StatusUnauthorized, map[string]any{"error": "not signed in"})
			return
		}
		answer(w, http.StatusOK, map[string]any{"claims": v.claims, "userinfo": v.userinfo})
	})

	http.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		// A source without an access token refreshes at once.
		token, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: v.token.RefreshToken}).Token()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		v.token = token
		raw, _ := token.Extra("id_token").(string)
		idToken, err := verifier.Verify(ctx, raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		answer(w, http.StatusOK, map[string]any{"refreshed": true, "sub": idToken.Subject})
	})

	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		query := url.Values{"id_token_hint": {v.idToken}, "post_logout_redirect_uri": {home}}
		*v = visit{}
		http.Redirect(w, r, metadata.EndSession+"?"+query.Encode(), http.StatusFound)
	})

	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("signed out")) })
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}

func visitOf(r *http.Request) *visit {
	cookie, err := r.Cookie("visit")
	if err != nil {
		return nil
	}
	mutex.Lock()
	defer mutex.Unlock()
	return visits[cookie.Value]
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

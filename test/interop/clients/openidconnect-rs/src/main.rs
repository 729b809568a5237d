use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    reqwest, url::Url, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    Scope, TokenResponse,
};
use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine as _};
use serde_json::{json, Value};
use std::{collections::HashMap, env, error::Error};
use tiny_http::{Header, Request, Response, Server};

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a browser is doing: on its way to sign in, or signed in.
struct Visit {
    state: CsrfToken,
    nonce: Nonce,
    verifier: Option<PkceCodeVerifier>,
    person: Option<Person>,
}

struct Person {
    id_token: String,
    refresh_token: RefreshToken,
    answer: Value,
}

enum Answer {
    Redirect(String, Option<String>),
    Json(u16, Value),
    Text(&'static str),
}

struct App {
    home: String,
    client: Client,
    http: reqwest::blocking::Client,
    end_session: String,
    visits: HashMap<String, Visit>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT")?;
    let home = format!("http://localhost:{port}");
    let issuer = env::var("ISSUER")?;
    // Redirects would open the door to requests forged on our behalf.
    let http = reqwest::blocking::ClientBuilder::new().redirect(reqwest::redirect::Policy::none()).build()?;
    let metadata = CoreProviderMetadata::discover(&IssuerUrl::new(issuer.clone())?, &http)?;
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(env::var("CLIENT_ID")?),
        Some(ClientSecret::new(env::var("CLIENT_SECRET")?)),
    )
    .set_redirect_uri(RedirectUrl::new(format!("{home}/callback"))?);
    // The library reads no end_session_endpoint unless asked for its own metadata type.
    let more: Value = serde_json::from_str(&http.get(format!("{issuer}/.well-known/openid-configuration")).send()?.text()?)?;
    let end_session = more["end_session_endpoint"].as_str().unwrap_or_default().to_string();
    let mut app = App { home, client, http, end_session, visits: HashMap::new() };
    let server = Server::http(format!("localhost:{port}")).map_err(|e| e.to_string())?;
    for request in server.incoming_requests() {
        let answer = app.route(&request).unwrap_or_else(|error| {
            eprintln!("{error}");
            Answer::Json(502, json!({ "error": "sign-in failed" }))
        });
        send(request, answer)?;
    }
    Ok(())
}

impl App {
    fn route(&mut self, request: &Request) -> Result<Answer, Box<dyn Error>> {
        let url = Url::parse(&self.home)?.join(request.url())?;
        let name = cookie_of(request);
        match url.path() {
            "/login" => Ok(self.login()),
            "/callback" => self.callback(&name, &url),
            "/me" => Ok(match self.visits.get(&name).and_then(|visit| visit.person.as_ref()) {
                Some(person) => Answer::Json(200, person.answer.clone()),
                None => Answer::Json(401, json!({ "error": "not signed in" })),
            }),
            "/refresh" => self.refresh(&name),
            "/logout" => self.logout(&name),
            _ => Ok(Answer::Text("signed out")),
        }
    }

    fn login(&mut self) -> Answer {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request =
            self.client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in ["email", "profile", "offline_access"] {
            request = request.add_scope(Scope::new(scope.to_string()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let name = CsrfToken::new_random().secret().clone();
        self.visits.insert(name.clone(), Visit { state, nonce, verifier: Some(verifier), person: None });
        Answer::Redirect(url.to_string(), Some(name))
    }

    fn callback(&mut self, name: &str, url: &Url) -> Result<Answer, Box<dyn Error>> {
        let visit = self.visits.get_mut(name).ok_or("nobody is signing in here")?;
        let parameters: HashMap<_, _> = url.query_pairs().into_owned().collect();
        if parameters.get("state") != Some(visit.state.secret()) {
            return Err("state does not match".into());
        }
        let code = AuthorizationCode::new(parameters.get("code").ok_or("no code")?.clone());
        let tokens = self
            .client
            .exchange_code(code)?
            .set_pkce_verifier(visit.verifier.take().ok_or("already used")?)
            .request(&self.http)?;
        let id_token = tokens.id_token().ok_or("no ID token")?;
        // Signature, issuer, audience, expiry and nonce.
        let claims: &CoreIdTokenClaims = id_token.claims(&self.client.id_token_verifier(), &visit.nonce)?;
        let info: CoreUserInfoClaims = self
            .client
            .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?
            .request(&self.http)?;
        visit.person = Some(Person {
            answer: json!({ "claims": payload_of(&id_token.to_string())?, "userinfo": info }),
            id_token: id_token.to_string(),
            refresh_token: tokens.refresh_token().ok_or("no refresh token")?.clone(),
        });
        Ok(Answer::Redirect(format!("{}/me", self.home), None))
    }

    fn refresh(&mut self, name: &str) -> Result<Answer, Box<dyn Error>> {
        let visit = self.visits.get_mut(name).ok_or("nobody is signed in here")?;
        let person = visit.person.as_mut().ok_or("nobody is signed in here")?;
        let tokens = self.client.exchange_refresh_token(&person.refresh_token)?.request(&self.http)?;
        if let Some(successor) = tokens.refresh_token() {
            person.refresh_token = successor.clone();
        }
        let id_token = tokens.id_token().ok_or("no ID token")?;
        let claims = id_token.claims(&self.client.id_token_verifier(), |_: Option<&Nonce>| Ok(()))?;
        Ok(Answer::Json(200, json!({ "refreshed": true, "sub": claims.subject() })))
    }

    fn logout(&mut self, name: &str) -> Result<Answer, Box<dyn Error>> {
        let visit = self.visits.remove(name).ok_or("nobody is signed in here")?;
        let id_token = visit.person.ok_or("nobody is signed in here")?.id_token;
        let query = [("id_token_hint", id_token.as_str()), ("post_logout_redirect_uri", self.home.as_str())];
        Ok(Answer::Redirect(Url::parse_with_params(&self.end_session, query)?.to_string(), None))
    }
}

/// The claims as they were sent: the library has verified them, but its own types keep only the standard ones.
fn payload_of(jwt: &str) -> Result<Value, Box<dyn Error>> {
    let payload = jwt.split('.').nth(1).ok_or("not a JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

fn cookie_of(request: &Request) -> String {
    let cookies = request.headers().iter().find(|header| header.field.equiv("Cookie"));
    let value = cookies.map(|header| header.value.to_string()).unwrap_or_default();
    let found = value.split("; ").find_map(|pair| pair.strip_prefix("visit="));
    found.unwrap_or_default().to_string()
}

fn send(request: Request, answer: Answer) -> std::io::Result<()> {
    let header = |name: &str, value: &str| Header::from_bytes(name, value).expect("a sound header");
    match answer {
        Answer::Text(text) => request.respond(Response::from_string(text)),
        Answer::Json(status, body) => request.respond(
            Response::from_string(body.to_string())
                .with_status_code(status)
                .with_header(header("content-type", "application/json")),
        ),
        Answer::Redirect(target, visit) => {
            let mut response = Response::from_string("").with_status_code(302).with_header(header("location", &target));
            if let Some(name) = visit {
                response.add_header(header("set-cookie", &format!("visit={name}; Path=/; HttpOnly; SameSite=Lax")));
            }
            request.respond(response)
        }
    }
}

import com.nimbusds.oauth2.sdk.AuthorizationCode;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.ResponseType;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.openid.connect.sdk.AuthenticationRequest;
import com.nimbusds.openid.connect.sdk.AuthenticationResponse;
import com.nimbusds.openid.connect.sdk.AuthenticationResponseParser;
import com.nimbusds.openid.connect.sdk.LogoutRequest;
import com.nimbusds.openid.connect.sdk.Nonce;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponse;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import com.nimbusds.jose.JWSAlgorithm;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

public class App {
    /** What a browser is doing: on its way to sign in, or signed in. */
    static class Visit {
        final State state = new State();
        final Nonce nonce = new Nonce();
        final CodeVerifier verifier = new CodeVerifier();
        OIDCTokens tokens;
        String answer;
    }

    static final Map<String, Visit> visits = new ConcurrentHashMap<>();
    static final int port = Integer.parseInt(System.getenv("PORT"));
    static final URI home = URI.create("http://localhost:" + port);
    static final URI callback = home.resolve("/callback");
    static final ClientID client = new ClientID(System.getenv("CLIENT_ID"));
    static final ClientSecretBasic authentication = new ClientSecretBasic(client, new Secret(System.getenv("CLIENT_SECRET")));
    static OIDCProviderMetadata provider;
    static IDTokenValidator validator;

    public static void main(String[] args) throws Exception {
        provider = OIDCProviderMetadata.resolve(new Issuer(System.getenv("ISSUER")));
        validator = new IDTokenValidator(provider.getIssuer(), client, JWSAlgorithm.RS256, provider.getJWKSetURI().toURL());
        HttpServer server = HttpServer.create(new InetSocketAddress("localhost", port), 0);
        server.createContext("/", exchange -> {
            try {
                route(exchange);
            } catch (Exception e) {
                send(exchange, 502, "{\"error\":\"sign-in failed\"}");
                e.printStackTrace();
            }
        });
        server.start();
    }

    static void route(HttpExchange exchange) throws Exception {
        switch (exchange.getRequestURI().getPath()) {
            case "/login" -> login(exchange);
            case "/callback" -> callback(exchange);
            case "/me" -> me(exchange);
            case "/refresh" -> refresh(exchange);
            case "/logout" -> logout(exchange);
            default -> send(exchange, 200, "signed out");
        }
    }

    static void login(HttpExchange exchange) throws Exception {
        String name = UUID.randomUUID().toString();
        Visit visit = new Visit();
        visits.put(name, visit);
        exchange.getResponseHeaders().add("Set-Cookie", "visit=" + name + "; Path=/; HttpOnly; SameSite=Lax");
        redirect(exchange, new AuthenticationRequest.Builder(
                new ResponseType(ResponseType.Value.CODE),
                new Scope("openid", "email", "profile", "offline_access"), client, callback)
            .endpointURI(provider.getAuthorizationEndpointURI())
            .state(visit.state)
            .nonce(visit.nonce)
            .codeChallenge(visit.verifier, CodeChallengeMethod.S256)
            .build().toURI());
    }

    static void callback(HttpExchange exchange) throws Exception {
        Visit visit = visitOf(exchange);
        AuthenticationResponse response = AuthenticationResponseParser.parse(home.resolve(exchange.getRequestURI()));
        if (!response.indicatesSuccess() || !visit.state.equals(response.getState())) throw new IOException("refused");
        AuthorizationCode code = response.toSuccessResponse().getAuthorizationCode();
        OIDCTokens tokens = ask(new AuthorizationCodeGrant(code, callback, visit.verifier));
        // Signature, issuer, audience, expiry and nonce.
        var claims = validator.validate(tokens.getIDToken(), visit.nonce);
        UserInfoResponse info = UserInfoResponse.parse(
            new UserInfoRequest(provider.getUserInfoEndpointURI(), tokens.getAccessToken()).toHTTPRequest().send());
        visit.answer = "{\"claims\":" + claims.toJSONString() + ",\"userinfo\":"
            + info.toSuccessResponse().getUserInfo().toJSONString() + "}";
        visit.tokens = tokens;
        redirect(exchange, home.resolve("/me"));
    }

    static void me(HttpExchange exchange) throws Exception {
        Visit visit = visitOf(exchange);
        if (visit == null || visit.tokens == null) send(exchange, 401, "{\"error\":\"not signed in\"}");
        else send(exchange, 200, visit.answer);
    }

    static void refresh(HttpExchange exchange) throws Exception {
        Visit visit = visitOf(exchange);
        visit.tokens = ask(new RefreshTokenGrant(visit.tokens.getRefreshToken()));
        String subject = validator.validate(visit.tokens.getIDToken(), null).getSubject().getValue();
        send(exchange, 200, "{\"refreshed\":true,\"sub\":\"" + subject + "\"}");
    }

    static void logout(HttpExchange exchange) throws Exception {
        Visit visit = visitOf(exchange);
        visits.values().remove(visit);
        redirect(exchange, new LogoutRequest(
            provider.getEndSessionEndpointURI(), visit.tokens.getIDToken(), home, null).toURI());
    }

    static OIDCTokens ask(AuthorizationGrant grant) throws Exception {
        var answer = new TokenRequest.Builder(provider.getTokenEndpointURI(), authentication, grant).build()
            .toHTTPRequest().send();
        return ((OIDCTokenResponse) OIDCTokenResponseParser.parse(answer).toSuccessResponse()).getOIDCTokens();
    }

    static Visit visitOf(HttpExchange exchange) {
        String cookie = exchange.getRequestHeaders().getFirst("Cookie");
        return cookie == null ? null : visits.get(cookie.replaceFirst(".*visit=([^;]*).*", "$1"));
    }

    static void redirect(HttpExchange exchange, URI target) throws IOException {
        exchange.getResponseHeaders().add("Location", target.toString());
        exchange.sendResponseHeaders(302, -1);
        exchange.close();
    }

    static void send(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", text.startsWith("{") ? "application/json" : "text/plain");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}

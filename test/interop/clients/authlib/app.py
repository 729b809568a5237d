import os
import secrets
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session

ISSUER = os.environ["ISSUER"]
PORT = int(os.environ["PORT"])
HOME = f"http://localhost:{PORT}"

app = Flask(__name__)
app.secret_key = os.environ["SESSION_SECRET"]
people = {}  # tokens stay on the server; the cookie holds a random name for them

latchkey = OAuth(app).register(
    "latchkey",
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={
        "scope": "openid email profile offline_access",
        "code_challenge_method": "S256",
    },
)


@app.get("/login")
def login():
    return latchkey.authorize_redirect(f"{HOME}/callback")


@app.get("/callback")
def callback():
    token = latchkey.authorize_access_token()  # checks state, nonce, signature, issuer and audience
    session["person"] = secrets.token_urlsafe()
    people[session["person"]] = {
        "token": token,
        "claims": token["userinfo"],
        "userinfo": latchkey.userinfo(token=token),
    }
    return redirect("/me")


@app.get("/me")
def me():
    person = people.get(session.get("person"))
    if person is None:
        return jsonify(error="not signed in"), 401
    return jsonify(claims=person["claims"], userinfo=person["userinfo"])


@app.get("/refresh")
def refresh():
    person = people[session["person"]]
    person["token"].update(
        latchkey.fetch_access_token(
            grant_type="refresh_token",
            refresh_token=person["token"]["refresh_token"],
        )
    )
    return jsonify(refreshed=True, sub=latchkey.userinfo(token=person["token"])["sub"])


@app.get("/logout")
def logout():
    person = people.pop(session.pop("person"))
    query = urlencode(
        {
            "id_token_hint": person["token"]["id_token"],
            "post_logout_redirect_uri": HOME,
        }
    )
    return redirect(f"{latchkey.load_server_metadata()['end_session_endpoint']}?{query}")


@app.get("/")
def home():
    return "signed out"


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)

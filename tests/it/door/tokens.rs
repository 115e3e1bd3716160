//! JSON Web Tokens: what is let in, and every way to forge one that we know.

use db_chat::config::{JwtConfig, JwtKeys};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{knock, outcome};
use crate::support::issuer::{Issuer, RSA_PUBLIC_PEM, SigningKey, claims, encode, from_now};
use crate::support::server::TestServer;
use crate::support::turns::{PATIENCE, echoing, played};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn jwt(keys: JwtKeys) -> JwtConfig {
    JwtConfig {
        keys,
        issuer: Some("https://issuer.test/".to_owned()),
        audience: Some("db-chat".to_owned()),
        clock_skew_seconds: 60,
    }
}

async fn server(keys: JwtKeys) -> TestServer {
    TestServer::start_with(echoing(), |config| config.auth.jwt = Some(jwt(keys))).await
}

async fn show(server: &TestServer, token: &str) -> (u16, String) {
    outcome(knock(server, &[("authorization", &format!("Bearer {token}"))]).await).await
}

fn invalid() -> (u16, String) {
    (401, "invalid_credentials".to_owned())
}

fn welcome() -> (u16, String) {
    (200, String::new())
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("ada");
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims("ada");
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_decide_whether_a_token_is_for_this_server_and_this_moment() {
    let server = server(JwtKeys::Secret(SECRET.into())).await;
    let key = SigningKey::secret(SECRET);
    let expired = (401, "token_expired".to_owned());
    for (claims, expected) in [
        (claims("ada"), welcome()),
        (with("aud", json!(["other", "db-chat"])), welcome()),
        // Within the clock skew of a minute.
        (with("exp", json!(from_now(-30))), welcome()),
        (with("nbf", json!(from_now(30))), welcome()),
        (with("exp", json!(from_now(-120))), expired.clone()),
        (with("exp", json!(0)), expired),
        (with("nbf", json!(from_now(120))), invalid()),
        (with("iss", json!("https://issuer.test")), invalid()),
        (with("iss", json!(7)), invalid()),
        // A list is no issuer, though the right one be in it.
        (with("iss", json!(["https://issuer.test/"])), invalid()),
        (with("aud", json!({"db-chat": true})), invalid()),
        (with("exp", json!(null)), invalid()),
        (with("exp", json!(1e300)), invalid()),
        (with("exp", json!(from_now(600) as f64 + 0.5)), welcome()),
        // When a token was made is the issuer's business.
        (with("iat", json!(from_now(600))), welcome()),
        (with("sub", json!(null)), invalid()),
        (with("sub", json!(7)), invalid()),
        (with("sub", json!("x".repeat(256))), welcome()),
        (with("aud", json!("other")), invalid()),
        (with("aud", json!([])), invalid()),
        (with("exp", json!("tomorrow")), invalid()),
        (with("exp", json!(-1)), invalid()),
        (with("nbf", json!("now")), invalid()),
        (with("sub", json!("")), invalid()),
        (with("sub", json!("a\nb")), invalid()),
        (with("sub", json!(["ada"])), invalid()),
        (with("sub", json!("x".repeat(257))), invalid()),
        (without("exp"), invalid()),
        (without("sub"), invalid()),
        (without("iss"), invalid()),
        (without("aud"), invalid()),
        (json!([]), invalid()),
    ] {
        assert_eq!(
            show(&server, &key.token(None, &claims)).await,
            expected,
            "{claims}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused_and_never_repeated() {
    let server = server(JwtKeys::Secret(SECRET.into())).await;
    let key = SigningKey::secret(SECRET);
    let good = key.token(None, &claims("ada"));
    assert_eq!(show(&server, &good).await, welcome());
    let parts: Vec<&str> = good.split('.').collect();
    let none = |alg: &str| {
        let header = encode(json!({"typ": "JWT", "alg": alg}).to_string().as_bytes());
        format!("{header}.{}.", parts[1])
    };
    let other_claims = encode(claims("root").to_string().as_bytes());
    let with_header = |header: Value| key.sign(&header, &claims("ada"));
    let cases = [
        none("none"),
        none("None"),
        none("NONE"),
        none("HS256"),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{other_claims}.{}", parts[0], parts[2]),
        format!("{good}."),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        good[..good.len() - 2].to_owned(),
        SigningKey::secret("another secret of thirty-two bytes!!").token(None, &claims("ada")),
        SigningKey::secret("").token(None, &claims("ada")),
        SigningKey::ec().token(None, &claims("ada")),
        SigningKey::rsa().token(None, &claims("ada")),
        with_header(json!({"typ": "JWT", "alg": "HS512"})),
        with_header(json!({"typ": "JWT"})),
        with_header(json!({"typ": "logout+jwt", "alg": "HS256"})),
        with_header(json!({"typ": "JWT", "alg": "HS256", "crit": ["exp"], "exp": 0})),
        with_header(json!({"typ": "JWT", "alg": "HS256", "crit": []})),
        with_header(json!({"typ": "JWT", "alg": "HS256", "b64": false, "crit": ["b64"]})),
        with_header(json!({"typ": "JWT", "alg": ["HS256"]})),
        format!(
            "{}.{}.{}",
            parts[0],
            encode(&"[".repeat(5_000).into_bytes()),
            parts[2]
        ),
        "x".repeat(8_000),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "%00.%00.%00".to_owned(),
    ];
    for token in cases {
        let response = knock(&server, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(response.status(), 401, "{token}");
        let text = response.text().await.expect("a body");
        assert!(
            !text.contains(parts[1]) && !text.contains("signature"),
            "{text}"
        );
    }
    // Twice the same claim, one for the check and one for us.
    let twice = format!(r#"{{"sub":"root",{}"#, &claims("ada").to_string()[1..]);
    let message = format!("{}.{}", parts[0], encode(twice.as_bytes()));
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = encode(ring::hmac::sign(&hmac, message.as_bytes()).as_ref());
    assert_eq!(
        show(&server, &format!("{message}.{signature}")).await,
        invalid()
    );
    // Nothing as large is looked at.
    let large = format!("{good}{}", "A".repeat(100_000));
    let too_large = (431, "headers_too_large".to_owned());
    assert_eq!(show(&server, &large).await, too_large);
    assert_eq!(show(&server, &good).await, welcome());
    // A token is no API key.
    assert_eq!(knock(&server, &[("x-api-key", &good)]).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_is_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.pem");
    std::fs::write(&path, RSA_PUBLIC_PEM).expect("written");
    let server = server(JwtKeys::PublicKeyFile(path)).await;
    let rsa = SigningKey::rsa();
    assert_eq!(
        show(&server, &rsa.token(None, &claims("ada"))).await,
        welcome()
    );
    // The classic: the public key, which everybody has, as the secret of an HMAC.
    for secret in [RSA_PUBLIC_PEM, RSA_PUBLIC_PEM.trim_end()] {
        let forged = SigningKey::secret(secret);
        for alg in ["HS256", "RS256"] {
            let header = json!({"typ": "JWT", "alg": alg});
            assert_eq!(
                show(&server, &forged.sign(&header, &claims("ada"))).await,
                invalid()
            );
        }
    }
    let header = json!({"typ": "JWT", "alg": "PS256"});
    assert_eq!(
        show(&server, &rsa.sign(&header, &claims("ada"))).await,
        invalid()
    );
    // A key that the token brings along counts for nothing.
    let own = SigningKey::ec();
    let header =
        json!({"typ": "JWT", "alg": "ES256", "jwk": own.jwk("own"), "jku": "http://127.0.0.1:1/"});
    assert_eq!(
        show(&server, &own.sign(&header, &claims("ada"))).await,
        invalid()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_an_issuer_are_fetched_once_and_again_when_they_rotate() {
    let (first, second) = (SigningKey::ec(), SigningKey::rsa());
    let issuer = Issuer::start(vec![
        first.jwk("first"),
        // Keys that must be passed over.
        json!({"kty": "oct", "kid": "secret", "k": encode(SECRET.as_bytes())}),
        json!({"kty": "EC", "crv": "P-256", "use": "enc", "kid": "enc", "x": "AA", "y": "AA"}),
        json!({"kty": "unheard of", "kid": "odd"}),
        json!("no key at all"),
    ])
    .await;
    let server = server(JwtKeys::JwksUrl(issuer.url())).await;
    assert_eq!(
        issuer.fetches(),
        0,
        "nothing is fetched before a token comes"
    );
    for _ in 0..5 {
        let token = first.token(Some("first"), &claims("ada"));
        assert_eq!(show(&server, &token).await, welcome());
    }
    assert_eq!(
        show(&server, &first.token(None, &claims("ada"))).await,
        welcome()
    );
    assert_eq!(issuer.fetches(), 1);

    // Made-up names and published secrets: refused, and no reason to fetch again so soon.
    for token in [
        first.token(Some("made-up"), &claims("ada")),
        SigningKey::secret(SECRET).token(Some("secret"), &claims("ada")),
        SigningKey::ec().token(Some("first"), &claims("ada")),
        second.token(Some("first"), &claims("ada")),
    ] {
        assert_eq!(show(&server, &token).await, invalid());
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_issuer_is_found_once_the_pause_is_over() {
    let (first, second) = (SigningKey::ec(), SigningKey::rsa());
    let issuer = Issuer::start(vec![first.jwk("first")]).await;
    let server = TestServer::start_with(echoing(), |config| {
        config.auth.jwt = Some(jwt(JwtKeys::JwksUrl(issuer.url())));
        config.limits.jwks_fetch_pause_ms = 0;
    })
    .await;
    let by_first = first.token(Some("first"), &claims("ada"));
    let by_second = second.token(Some("second"), &claims("ada"));
    assert_eq!(show(&server, &by_first).await, welcome());
    assert_eq!(show(&server, &by_second).await, invalid());
    issuer.publish(vec![second.jwk("second")]);
    assert_eq!(show(&server, &by_second).await, welcome());
    assert_eq!(
        show(&server, &by_first).await,
        invalid(),
        "withdrawn is withdrawn"
    );

    // An issuer that is away takes no key away that was there.
    issuer.set_down(true);
    assert_eq!(show(&server, &by_second).await, welcome());
    let unavailable = (503, "authentication_unavailable".to_owned());
    assert_eq!(show(&server, &by_first).await, unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_an_issuer_are_good_side_by_side() {
    let (first, second) = (SigningKey::ec(), SigningKey::rsa());
    let issuer = Issuer::start(vec![first.jwk("first"), second.jwk("second")]).await;
    let server = server(JwtKeys::JwksUrl(issuer.url())).await;
    for (key, id) in [(&first, "first"), (&second, "second"), (&first, "first")] {
        let token = key.token(Some(id), &claims("ada"));
        assert_eq!(show(&server, &token).await, welcome());
    }
    // Which of the two is meant has to be said.
    let token = first.token(None, &claims("ada"));
    assert_eq!(show(&server, &token).await, invalid());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_keys_that_is_too_large_or_none_is_no_set() {
    let key = SigningKey::ec();
    let token = key.token(Some("k"), &claims("ada"));
    let unavailable = (503, "authentication_unavailable".to_owned());
    let filler = json!({"kty": "unheard of", "kid": "x".repeat(300_000)});
    for keys in [vec![key.jwk("k"), filler], Vec::new()] {
        let is_empty = keys.is_empty();
        let issuer = Issuer::start(keys).await;
        let server = server(JwtKeys::JwksUrl(issuer.url())).await;
        let expected = if is_empty {
            invalid()
        } else {
            unavailable.clone()
        };
        assert_eq!(show(&server, &token).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_hangs_up_keeps_nobody_out() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(vec![key.jwk("k")]).await;
    let server = server(JwtKeys::JwksUrl(issuer.url())).await;
    let held = issuer.hold().await;
    let made_up = key.token(Some("made-up"), &claims("nobody"));
    let mut stranger = TcpStream::connect(server.address)
        .await
        .expect("a connection");
    let request = format!(
        "GET /api/chat/schema-info/ HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {made_up}\r\n\r\n"
    );
    stranger.write_all(request.as_bytes()).await.expect("sent");
    issuer.asked(1).await;
    // The server is done with the stranger when it has closed, too.
    stranger.shutdown().await.expect("an open socket");
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stranger.read_to_end(&mut rest)).await;
    end.expect("an end in time").expect("an end");
    let token = key.token(Some("k"), &claims("ada"));
    // Waits for the fetch that is under way, or finds what it brought.
    let released = async { drop(held) };
    let (shown, ()) = tokio::join!(show(&server, &token), released);
    assert_eq!(shown, welcome());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_lets_nobody_in_and_says_so() {
    let key = SigningKey::ec();
    let issuer = Issuer::start(vec![key.jwk("k")]).await;
    issuer.set_down(true);
    let server = server(JwtKeys::JwksUrl(issuer.url())).await;
    let response = knock(
        &server,
        &[(
            "authorization",
            &format!("Bearer {}", key.token(Some("k"), &claims("ada"))),
        )],
    )
    .await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        outcome(response).await,
        (503, "authentication_unavailable".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_is_the_issuer_and_the_subject() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        config.auth.jwt = Some(jwt(JwtKeys::Secret(SECRET.into())));
    })
    .await;
    let token = SigningKey::secret(SECRET).token(None, &claims("ada"));
    let asking = server.post(r#"{"query": "q"}"#).bearer_auth(token).send();
    let playing = async {
        let turn = playbook.next().await;
        assert_eq!(turn.turn.principal.as_str(), "jwt:https://issuer.test/|ada");
        turn.answer("a").await;
    };
    let (response, ()) = tokio::join!(asking, playing);
    assert_eq!(response.expect("a response").status(), 200);
}

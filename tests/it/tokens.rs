//! Tokens at their door: which open something, whose they are, and for how long. The vectors of Wycheproof for the two algorithms
//! stand beside the code.

use crate::{
    program::Place,
    runtime::{comes_to_rest, engine_in, launch_of, run_of},
};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use cuelight_base::{Actor, Channel, GateId, Proof, RunId, SecretKey, Span, Timestamp, ValueMap, mac};
use cuelight_engine::{
    Command, Decision, Refusal, Revoked, RunState, Standing, TokenEvent, TokenName, Verdict,
};
use cuelight_gateway::{
    Bearer, CheckedTokens, Claims, KeyRing, Permission, Signer, TokenTrouble, peek, rsa_key, sign,
};
use cuelight_runtime::{Desk, Entropy, LocalDesk, People, Reply, Request, public_key};
use cuelight_store::{KeyKind, RsaKey, TokenKey, TokenKeys, Workspace};
use ring::{
    rand::SystemRandom,
    signature::{
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000;
const SECRET: [u8; 32] = [7; 32];

fn now() -> Timestamp {
    Timestamp(NOW * 1000)
}

/// A key of a person, and the line of its `.pub` file.
pub(crate) fn key_of(seed: u8) -> (SecretKey, String) {
    let key = SecretKey::new([seed; 32]);
    let mut blob = Vec::new();
    for part in [&b"ssh-ed25519"[..], key.public().as_bytes()] {
        blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        blob.extend(part);
    }
    let line = format!("ssh-ed25519 {}", BASE64_STANDARD.encode(blob));
    (key, line)
}

/// Ann is an OS user and has a token, bob has a token alone, and a third key speaks for all.
pub(crate) fn people(uid: u32) -> People {
    People::read(&people_text(uid)).expect("people").with_standing(Standing::Root)
}

fn people_text(uid: u32) -> String {
    format!(
        "[[person]]\nname = 'ann'\nuid = {uid}\ntoken = 'ann@example.org'\ngroups = ['sre']\n\
         [[person]]\nname = 'bob'\ntoken = 'bob@example.org'\ngroups = ['sre']\n\
         [[token-key]]\nkid = 'ann'\nkey = '{}'\npeople = ['ann']\n\
         [[token-key]]\nkid = 'bob'\nkey = '{}'\npeople = ['bob']\n\
         [[token-key]]\nkid = 'sso'\nkey = '{}'\nissuer = 'https://sso.example.org'\n",
        key_of(1).1,
        key_of(2).1,
        key_of(3).1
    )
}

fn ring() -> KeyRing {
    let key = |kid: &str, issuer: &str, kind| TokenKey {
        kid: kid.to_owned(),
        issuer: issuer.to_owned(),
        made_at: now(),
        until: None,
        kind,
    };
    let keys = vec![
        key("one", "cuelight/1", KeyKind::Secret(SECRET)),
        key("ci", "https://ci.example.org", KeyKind::Public(key_of(9).0.public().as_bytes().to_owned())),
        key("rsa", "https://rsa.example.org", KeyKind::Rsa(rsa().1)),
    ];
    let keys = TokenKeys { audience: "cuelight/1".to_owned(), keys };
    ring_of(keys, people(1000))
}

fn ring_of(keys: TokenKeys, people: People) -> KeyRing {
    KeyRing { keys: Arc::new(keys), people: Arc::new(people), project: "shop".into(), engine: 1000 }
}

/// A key of nobody, for tests alone.
fn rsa() -> (RsaKeyPair, RsaKey) {
    let text = include_str!("../fixtures/rsa-2048.pkcs8.b64").replace('\n', "");
    let pair = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(text).expect("base64")).expect("a key");
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
    let key = RsaKey::new(&public.n, &public.e).expect("a key");
    (pair, key)
}

/// Signed with it, whatever the header says.
fn of_rsa(header: &str, claims: &Value, how: &'static dyn RsaEncoding) -> String {
    let (pair, _) = rsa();
    let signed = format!("{}.{}", part(header), part(claims.to_string()));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(how, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
    format!("{signed}.{}", part(signature))
}

const RSA_HEADER: &str = r#"{"alg":"RS256","kid":"rsa","typ":"JWT"}"#;

fn claims_of_rsa() -> Value {
    with(json!({"iss": "https://rsa.example.org"}))
}

/// The line of an `.pub` file.
fn ssh_rsa(n: &[u8], e: &[u8]) -> String {
    let mut blob = Vec::new();
    for part in [&b"ssh-rsa"[..], e, &[&[0][..], n].concat()] {
        blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        blob.extend(part);
    }
    format!("ssh-rsa {} ci@example.org", BASE64_STANDARD.encode(blob))
}

#[test]
fn a_token_of_rsa_is_good_by_the_algorithm_of_its_key_and_by_no_other() {
    let good = of_rsa(RSA_HEADER, &claims_of_rsa(), &RSA_PKCS1_SHA256);
    let bearer = check(&good).expect("it is good");
    assert_eq!(bearer.actor.name, "agent:reviewer-1");
    let Proof::Token(proof) = &bearer.actor.proof else { panic!("{bearer:?}") };
    assert_eq!(proof.maker.as_deref(), Some("uid:1000"), "whoever owns the workspace can have added the key");
    assert!(ring().renewed(&bearer, now(), "x".to_owned()).is_err(), "it was made elsewhere");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let head = |header: &str| format!("{}.{}", part(header), part(claims_of_rsa().to_string()));
    // The public key is known to all: it is no secret that anything is signed with.
    let as_secret =
        |key: &[u8], header: &str| format!("{}.{}", head(header), part(mac(key, &[head(header).as_bytes()])));
    let (pair, key) = rsa();
    let claims = claims_of_rsa();
    let mut bad = vec![
        ("its numbers as a secret", as_secret(&key.n, r#"{"alg":"HS256","kid":"rsa"}"#)),
        ("its bytes as a secret", as_secret(pair.public().as_ref(), r#"{"alg":"HS256","kid":"rsa"}"#)),
        ("the same, said to be RSA", as_secret(&key.n, RSA_HEADER)),
        ("by the name of a secret", of_rsa(r#"{"alg":"RS256","kid":"one"}"#, &claims, &RSA_PKCS1_SHA256)),
        ("by the name of another key", of_rsa(r#"{"alg":"RS256","kid":"ci"}"#, &claims, &RSA_PKCS1_SHA256)),
        ("said to be Ed25519", of_rsa(r#"{"alg":"EdDSA","kid":"rsa"}"#, &claims, &RSA_PKCS1_SHA256)),
        ("said to be none", format!("{}.", head(r#"{"alg":"none","kid":"rsa"}"#))),
        ("another hash", of_rsa(RSA_HEADER, &claims, &RSA_PKCS1_SHA384)),
        ("another hash that is told", of_rsa(r#"{"alg":"RS384","kid":"rsa"}"#, &claims, &RSA_PKCS1_SHA384)),
        ("another padding", of_rsa(RSA_HEADER, &claims, &RSA_PSS_SHA256)),
        ("another padding that is told", of_rsa(r#"{"alg":"PS256","kid":"rsa"}"#, &claims, &RSA_PSS_SHA256)),
        ("its key with it", of_rsa(r#"{"alg":"RS256","kid":"rsa","jwk":{}}"#, &claims, &RSA_PKCS1_SHA256)),
        ("no signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", &signature[..170])),
        ("other claims", format!("{}.{signature}", head(RSA_HEADER).replace('a', "b"))),
        (
            "who decides",
            of_rsa(
                RSA_HEADER,
                &with(json!({"iss": "https://rsa.example.org", "permissions": ["decide_gates"]})),
                &RSA_PKCS1_SHA256,
            ),
        ),
        ("another issuer", of_rsa(RSA_HEADER, &claims_by("https://ci.example.org"), &RSA_PKCS1_SHA256)),
    ];
    let zeros = part(vec![0; 256]);
    bad.push(("zeros", format!("{signed}.{zeros}")));
    for (why, token) in bad {
        assert!(matches!(check(&token), Err(TokenTrouble::Invalid(_))), "{why}");
    }
}

fn claims_by(issuer: &str) -> Value {
    with(json!({"iss": issuer}))
}

#[test]
fn a_public_key_of_rsa_is_taken_in_as_people_have_it_and_a_weak_or_private_one_is_not() {
    let (_, key) = rsa();
    let (n, e) = (part(&key.n), part(&key.e));
    let jwk = json!({"kty": "RSA", "n": n, "e": e, "alg": "RS256", "use": "sig", "kid": "x"}).to_string();
    assert!(rsa_key(&jwk).is_ok_and(|rsa_key| rsa_key == key));
    assert!(rsa_key(&ssh_rsa(&key.n, &key.e)).is_ok_and(|rsa_key| rsa_key == key));
    let small = part(&key.n[..128]);
    for (text, why) in [
        (json!({"kty": "RSA", "n": small, "e": e}).to_string(), "bits"),
        (ssh_rsa(&key.n[..255], &key.e), "bits"),
        (ssh_rsa(&[&key.n[..], &[1; 1024]].concat(), &key.e), "bits"),
        (json!({"kty": "RSA", "n": n, "e": "Aw"}).to_string(), "relied on"),
        (json!({"kty": "RSA", "n": n, "e": e, "d": "AQAB"}).to_string(), "private"),
        (json!({"kty": "RSA", "n": n, "e": e, "use": "enc"}).to_string(), "something else"),
        (json!({"kty": "RSA", "n": n, "e": e, "alg": "RS512"}).to_string(), "something else"),
        (json!({"kty": "oct", "k": n}).to_string(), "something else"),
        ("{".to_owned(), "cut"),
        ("ssh-rsa AAAA".to_owned(), "cut"),
        (ssh_rsa(&key.n, &key.e).replace("ssh-rsa ", "ssh-rsa AAAA"), "cut"),
    ] {
        let told = rsa_key(&text).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert!(told.contains(why), "{told}");
    }
    // At the command line, and back from the file.
    let place = Place::new();
    drop(Workspace::create(place.path()).expect("a workspace"));
    place.cue(&["token", "keys", "add", &jwk, "--kid", "sso-ci", "--issuer", "https://rsa.example.org"]).ok();
    let listed = place.cue(&["token", "keys", "list", "--json"]).ok().json();
    let found =
        listed["keys"].as_array().is_some_and(|keys| keys.iter().any(|key| key["algorithm"] == "RS256"));
    assert!(found, "{listed}");
    let keys =
        TokenKeys::of(&Workspace::find(place.path()).expect("a workspace")).expect("read").expect("keys");
    assert!(
        keys.keys
            .iter()
            .any(|token_key| token_key.kid == "sso-ci" && token_key.kind == KeyKind::Rsa(key.clone())),
        "{keys:?}"
    );
    let refused = place.cue(&["token", "keys", "add", &ssh_rsa(&key.n[..128], &key.e), "--kid", "weak"]);
    assert!(refused.code == 2 && refused.err.contains("1024 bits"), "{refused:?}");
}

/// Claims that are right for an agent.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "cuelight/1", "aud": "cuelight/1", "sub": "reviewer-1", "agent_type": "qa", "project_id": "shop",
        "permissions": ["read_gates"], "exp": NOW + 600, "nbf": NOW, "iat": NOW, "jti": "t1",
    })
}

pub(crate) fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn part(text: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// Signed as it stands, with whatever header.
fn raw(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", part(mac(&SECRET, &[signed.as_bytes()])))
}

const HEADER: &str = r#"{"alg":"HS256","kid":"one","typ":"JWT"}"#;

fn signed(claims: &Value) -> String {
    raw(HEADER, &claims.to_string())
}

pub(crate) fn of_person(kid: &str, seed: u8, changes: Value) -> String {
    let iss = if kid == "sso" { "https://sso.example.org" } else { kid };
    let mut all =
        json!({"iss": iss, "sub": "bob@example.org", "agent_type": null, "permissions": ["decide_gates"]});
    for (name, value) in changes.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let claims: Claims = serde_json::from_value(with(all)).expect("claims");
    sign(&claims, kid, &Signer::Key(&key_of(seed).0))
}

fn check(token: &str) -> Result<Bearer, TokenTrouble> {
    ring().check(token, now(), &Revoked::default())
}

#[test]
fn an_agent_is_who_its_token_says_and_speaks_for_nobody() {
    let bearer = check(&signed(&claims())).expect("it is good");
    assert_eq!(
        (bearer.project(), bearer.agent_type.as_ref().map(|agent_type| agent_type.as_str())),
        ("shop", Some("qa"))
    );
    assert!(bearer.may(Permission::ReadGates) && !bearer.may(Permission::DecideGates));
    let Proof::Token(proof) = &bearer.actor.proof else { panic!("{bearer:?}") };
    assert_eq!((&proof.person, &proof.project, bearer.actor.channel), (&None, &None, Channel::Http));
    // Who calls himself like a person is none.
    let other = check(&signed(&with(json!({"sub": "ann", "project_id": "bank"})))).expect("it is good");
    assert_eq!(
        (other.actor.name.as_str(), other.actor.principal()),
        ("agent:ann", "token:bank/ann".to_owned())
    );
    assert_eq!(other.actor.project(), Some("bank"));
    // From elsewhere, by a public key.
    let elsewhere = with(json!({"iss": "https://ci.example.org"}));
    let elsewhere: Claims = serde_json::from_value(elsewhere).expect("claims");
    check(&sign(&elsewhere, "ci", &Signer::Key(&key_of(9).0))).expect("it is good");
    // A minute is how far clocks differ.
    for changes in
        [json!({"exp": NOW - 59, "iat": NOW - 600}), json!({"iat": NOW + 60}), json!({"nbf": NOW + 60})]
    {
        check(&signed(&with(changes))).expect("it is good");
    }
}

/// Values that are invalid for a claim.
fn wrong_claims() -> Vec<Value> {
    vec![
        json!({"exp": null}),
        json!({"exp": (NOW + 600).to_string()}),
        json!({"exp": -1}),
        json!({"exp": 0}),
        json!({"exp": NOW - 61, "iat": NOW - 600}),
        json!({"exp": NOW + 600, "iat": NOW + 601}),
        json!({"exp": NOW + 86_401}),
        json!({"iat": null}),
        json!({"iat": NOW + 61}),
        json!({"iat": -5}),
        json!({"nbf": NOW + 61}),
        json!({"nbf": "now"}),
        json!({"iss": null}),
        json!({"iss": "cuelight/2"}),
        json!({"iss": "https://ci.example.org"}),
        json!({"aud": null}),
        json!({"aud": "cuelight/2"}),
        json!({"aud": ["cuelight/1", "cuelight/2"]}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "a b"}),
        json!({"sub": "../ann"}),
        json!({"agent_type": null}),
        json!({"agent_type": "QA"}),
        json!({"agent_type": "q/a"}),
        json!({"project_id": null}),
        json!({"project_id": "../shop"}),
        json!({"project_id": ""}),
        json!({"permissions": null}),
        json!({"permissions": "read_gates"}),
        json!({"permissions": ["everything"]}),
        json!({"permissions": ["decide_gates"]}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": "a/b"}),
    ]
}

#[test]
fn a_token_that_is_not_quite_right_opens_nothing() {
    let good = signed(&claims());
    check(&good).expect("the pattern is good");
    let text = claims().to_string();
    let head = |changes: &str| raw(&format!(r#"{{"alg":"HS256","kid":"one"{changes}}}"#), &text);
    let (signed_part, code) = good.rsplit_once('.').expect("three parts");
    let mut bad: Vec<(&str, String)> = vec![
        ("nothing", String::new()),
        ("dots alone", "..".to_owned()),
        ("no signature", signed_part.to_owned()),
        ("an empty signature", format!("{signed_part}.")),
        ("a part more", format!("{good}.{code}")),
        ("padding", format!("{good}=")),
        ("a blank before", format!(" {good}")),
        ("a line after", format!("{good}\n")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("another key", sign(&peek(&good).expect("claims"), "one", &Signer::Secret(&[8; 32]))),
        ("too long", signed(&with(json!({"sub": "a".repeat(9000)})))),
        ("more headers than are known", head(r#","crit":["b64"]"#)),
        ("a payload that is no base64", head(r#","b64":false"#)),
        ("a key from elsewhere", head(r#","jku":"https://evil.example/keys""#)),
        ("a certificate from elsewhere", head(r#","x5u":"https://evil.example/cert""#)),
        ("a key in the token", head(r#","jwk":{"kty":"oct","k":"AAAA"}"#)),
        ("compressed", head(r#","zip":"DEF""#)),
        ("nested", head(r#","cty":"JWT""#)),
        ("another type", head(r#","typ":"secevent+jwt""#)),
        ("a header twice", head(r#","alg":"HS256""#)),
        ("no header", raw("", &text)),
        ("a header that is a list", raw("[]", &text)),
        ("no claims", raw(HEADER, "")),
        ("claims in another coding", {
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            raw(HEADER, &String::from_utf8_lossy(&wide))
        }),
        ("the subject twice", raw(HEADER, &text.replacen('{', r#"{"sub":"ann","#, 1))),
        ("claims with a byte order mark", raw(HEADER, &format!("\u{feff}{text}"))),
        // The public key of somebody is no secret of ours.
        ("a public key as a secret", {
            let key = key_of(9).0.public().as_bytes().to_owned();
            let claims: Claims =
                serde_json::from_value(with(json!({"iss": "https://ci.example.org"}))).expect("claims");
            sign(&claims, "ci", &Signer::Secret(&key))
        }),
        (
            "a secret as a key",
            sign(&peek(&good).expect("claims"), "one", &Signer::Key(&SecretKey::new(SECRET))),
        ),
        (
            "a key of a person for an agent",
            of_person("bob", 2, json!({"sub": "reviewer-1", "agent_type": "qa"})),
        ),
    ];
    for alg in ["none", "None", "nOnE", "NONE", "hs256", "HS512", "RS256", "EdDSA", ""] {
        bad.push(("an algorithm", raw(&format!(r#"{{"alg":"{alg}","kid":"one"}}"#), &text)));
        bad.push(("an algorithm without code", {
            format!("{}.{}.", part(format!(r#"{{"alg":"{alg}","kid":"one"}}"#)), part(&text))
        }));
    }
    for kid in ["", "two", "../../dev/null", "' OR 1=1 --", "one\\u0000", &"k".repeat(5000)] {
        bad.push(("a key that is not there", raw(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), &text)));
    }
    bad.push(("no name of a key", raw(r#"{"alg":"HS256"}"#, &text)));
    for changes in wrong_claims() {
        bad.push(("claims", signed(&with(changes))));
    }
    for exp in ["1e400", "9223372036854775808", "1790000600.5", "1.79e9"] {
        bad.push(("an instant", raw(HEADER, &text.replace(&(NOW + 600).to_string(), exp))));
    }
    let count = bad.len();
    for (what, token) in bad {
        assert!(check(&token).is_err(), "{what}: {token}");
    }
    assert!(count >= 60, "{count}");
    // Any other bit makes another token, also one in the last letter that says nothing.
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(bent) = String::from_utf8(bytes) else { continue };
        assert!(check(&bent).is_err(), "letter {at}: {bent}");
    }
    assert_eq!(check(&signed(&with(json!({"exp": NOW - 61, "iat": NOW - 600})))), Err(TokenTrouble::Expired));
}

#[test]
fn a_person_is_known_by_a_key_that_people_toml_lets_speak_for_them() {
    let bob = check(&of_person("bob", 2, json!({}))).expect("it is good");
    assert_eq!((bob.actor.name.as_str(), bob.actor.principal()), ("bob", "person:bob".to_owned()));
    assert!(bob.may(Permission::DecideGates) && bob.agent_type.is_none() && bob.actor.groups == ["sre"]);
    let ann = check(&of_person("sso", 3, json!({"sub": "ann@example.org"}))).expect("it is good");
    assert_eq!(ann.actor.principal(), people(1000).actor(1000, Channel::Console).principal(), "one person");
    for (why, token) in [
        ("does not speak for ann", of_person("bob", 2, json!({"sub": "ann@example.org"}))),
        ("nobody whose token is", of_person("sso", 3, json!({"sub": "eve@example.org"}))),
        ("another issuer", of_person("sso", 3, json!({"iss": "https://evil.example"}))),
        ("signature", of_person("bob", 1, json!({}))),
        ("for another workspace", of_person("bob", 2, json!({"aud": "cuelight/2"}))),
    ] {
        let said = check(&token).expect_err(why).to_string();
        assert!(said.contains(why), "{said}");
    }
    // Whoever could write the file could let anybody speak for anybody.
    let people = Arc::new(people(1000).with_standing(Standing::SelfDeclared));
    let said =
        KeyRing { people, ..ring() }.check(&of_person("bob", 2, json!({})), now(), &Revoked::default());
    assert!(said.expect_err("it does not count").to_string().contains("only when people.toml is signed"));
    // Whoever runs the engine could be anybody of the file, and answer twice.
    let said =
        KeyRing { engine: 4000, ..ring() }.check(&of_person("bob", 2, json!({})), now(), &Revoked::default());
    assert!(said.expect_err("it does not count").to_string().contains("who sits here"));
    // A key that is both says nothing.
    let mut both = ring();
    Arc::make_mut(&mut both.keys).keys[0].kid = "bob".to_owned();
    assert!(both.check(&of_person("bob", 2, json!({})), now(), &Revoked::default()).is_err());
}

#[test]
fn keys_follow_one_another_and_the_old_one_counts_for_a_day() {
    let dir = TempDir::new().expect("a directory");
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let day = Span::seconds(24 * 3600);
    let change = |at: Timestamp, secret: u8, new: bool| {
        TokenKeys::change(&workspace, at, [5; 32], |keys| {
            if new { keys.make(at, [secret; 32]) } else { keys.rotate(at, [secret; 32]) }
        })
    };
    let first = change(now(), 1, true).expect("a key");
    let second = change(now(), 2, false).expect("a key");
    assert_ne!(first, second);
    let keys = || TokenKeys::of(&workspace).expect("readable").expect("some");
    assert_eq!(keys().signing().map(|signing| signing.kid.clone()), Some(second.clone()));
    let token = {
        let keys = keys();
        let text = with(json!({"iss": keys.audience, "aud": keys.audience, "exp": NOW + 86_400}));
        sign(&serde_json::from_value(text).expect("claims"), &first, &Signer::Secret(&[1; 32]))
    };
    let ring = |keys| ring_of(keys, people(1000));
    let good = |keys, at| ring(keys).check(&token, at, &Revoked::default()).is_ok();
    assert!(good(keys(), now()) && good(keys(), now() + Span(day.0 - 1)) && !good(keys(), now() + day));
    for secret in 3..=4 {
        change(now(), secret, true).expect("a key");
    }
    let why = change(now(), 5, true).expect_err("four are enough").to_string();
    assert!(why.contains("4 keys are good already"), "{why}");
    TokenKeys::change(&workspace, now(), [5; 32], |keys| keys.revoke(&first)).expect("it goes");
    assert!(!good(keys(), now()), "at once");
    let path = dir.path().join(".cuelight/keys/tokens.json");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let why = TokenKeys::of(&workspace).expect_err("others may read it").to_string();
    assert!(why.contains("others may read it") && why.contains("chmod 600"), "{why}");
    assert!(!format!("{:?}", self::ring().keys).contains("7, 7"), "a secret is not shown");
}

fn revoked(id: &str, until: Timestamp) -> TokenEvent {
    TokenEvent::Revoked {
        id: id.to_owned(),
        subject: "a".to_owned(),
        until,
        reason: "lost".to_owned(),
        by: people(1000).actor(1000, Channel::Console),
    }
}

#[test]
fn a_token_that_was_shown_before_is_refused_as_soon_as_one_that_never_was() {
    const DAY: Span = Span::seconds(24 * 3600);
    type Change = fn(&mut KeyRing, &mut Revoked) -> Timestamp;
    fn change_keys(ring: &mut KeyRing, change: impl FnOnce(&mut TokenKeys)) -> Timestamp {
        change(Arc::make_mut(&mut ring.keys));
        now()
    }
    fn change_people(ring: &mut KeyRing, before: &str, after: &str) -> Timestamp {
        let text = people_text(1000);
        assert!(text.contains(before));
        let people =
            People::read(&text.replace(before, after)).expect("people").with_standing(Standing::Root);
        ring.people = Arc::new(people);
        now()
    }
    let of_agent = signed(&with(json!({"exp": NOW + 86_400})));
    let of_bob = of_person("bob", 2, json!({"exp": NOW + 86_400}));
    let changes: [(&str, &str, bool, Change); 11] = [
        ("nothing", &of_agent, true, |_, _| now()),
        ("it was taken back", &of_agent, false, |_, all| {
            all.apply(now(), &revoked("t1", now() + DAY));
            now()
        }),
        ("its time is over", &of_agent, false, |_, _| now() + Span(DAY.0 * 2)),
        ("the clock was set back", &of_agent, false, |_, _| Timestamp(now().0 - 3_600_000)),
        ("its key is revoked", &of_agent, false, |ring, _| {
            change_keys(ring, |keys| keys.revoke("one").expect("revoked"))
        }),
        ("its key is another one", &of_agent, false, |ring, _| {
            change_keys(ring, |keys| keys.keys[0].kind = KeyKind::Secret([8; 32]))
        }),
        ("it is for another workspace now", &of_agent, false, |ring, _| {
            change_keys(ring, |keys| keys.audience = "cuelight/2".to_owned())
        }),
        ("bob has left", &of_bob, false, |ring, _| change_people(ring, "bob@", "rob@")),
        ("his key speaks for ann", &of_bob, false, |ring, _| {
            change_people(ring, "people = ['bob']", "people = ['ann']")
        }),
        ("keys count no more", &of_bob, false, |ring, _| {
            ring.people = Arc::new(People::clone(&ring.people).with_standing(Standing::SelfDeclared));
            now()
        }),
        ("ann has left", &of_bob, true, |ring, _| change_people(ring, "ann@", "nan@")),
    ];
    for (what, token, is_good, change) in changes {
        let (mut ring, mut all, checked) = (ring(), Revoked::default(), CheckedTokens::default());
        let shown = |ring: &KeyRing, at, all: &Revoked| {
            checked.check(ring, token, at, all).map(|bearer| Bearer::clone(&bearer))
        };
        assert_eq!(shown(&ring, now(), &all), ring.check(token, now(), &all), "{what}");
        let at = change(&mut ring, &mut all);
        let told = shown(&ring, at, &all);
        assert_eq!((told.is_ok(), &told), (is_good, &ring.check(token, at, &all)), "{what}");
    }
}

#[test]
fn a_token_that_was_shown_before_ends_with_the_key_that_another_one_has_replaced() {
    let (mut ring, none, checked) = (ring(), Revoked::default(), CheckedTokens::default());
    // A key of people is not meant by a key of agents that is over, whatever that is called.
    let keys = Arc::make_mut(&mut ring.keys);
    keys.keys[2].kid = "bob".to_owned();
    keys.keys[2].until = Some(now());
    keys.rotate(now(), [9; 32]).expect("another key");
    let day = Span::seconds(24 * 3600);
    let (of_agent, of_bob) =
        (signed(&with(json!({"exp": NOW + 86_400}))), of_person("bob", 2, json!({"exp": NOW + 86_400})));
    for (token, after, is_good) in [
        (&of_agent, Span(0), true),
        (&of_bob, Span(0), true),
        (&of_agent, Span(day.0 - 1), true),
        (&of_bob, day, true),
        (&of_agent, day, false),
    ] {
        let told = checked.check(&ring, token, now() + after, &none);
        assert_eq!(told.is_ok(), is_good, "{told:?}");
        assert_eq!(told.map(|bearer| Bearer::clone(&bearer)), ring.check(token, now() + after, &none));
    }
}

#[test]
fn what_was_taken_back_stays_so_whatever_the_clock_and_the_token_say() {
    let day = Span::seconds(24 * 3600);
    let mut all = Revoked::default();
    all.apply(now(), &revoked("t1", now() + day));
    // A clock that stands a week ahead for a while, and is set back.
    all.apply(now() + Span(day.0 * 7), &revoked("t2", now() + day));
    assert!(all.has("t1") && all.has("t2"));
    all.apply(now() + Span(day.0 * 40), &revoked("t3", now() + Span(day.0 * 41)));
    assert!(!all.has("t1") && all.has("t3"), "what ended a month ago is forgotten");
}

#[test]
fn what_a_replaced_key_has_signed_is_not_renewed() {
    let mut ring = ring();
    let token = signed(&with(json!({"iat": NOW - 300, "exp": NOW + 300, "nbf": NOW - 300})));
    Arc::make_mut(&mut ring.keys).rotate(now(), [9; 32]).expect("another key");
    let bearer = ring.check(&token, now(), &Revoked::default()).expect("it is good for a day");
    let why = ring.renewed(&bearer, now(), "t2".to_owned()).expect_err("its key was replaced");
    assert!(why.contains("its key was replaced"), "{why}");
}

#[test]
fn a_token_is_renewed_at_its_end_and_three_times() {
    let (ring, none) = (ring(), Revoked::default());
    let young = ring.check(&signed(&claims()), now(), &none).expect("it is good");
    assert!(ring.renewed(&young, now(), "t2".to_owned()).expect_err("too early").contains("five minutes"));
    let mut token = signed(&with(json!({"iat": NOW - 300, "exp": NOW + 300, "nbf": NOW - 300})));
    let mut at = now();
    for count in 1..=3 {
        let bearer = ring.check(&token, at, &none).expect("it is good");
        let (next, claims) = ring.renewed(&bearer, at, format!("t{}", count + 1)).expect("another one");
        let seconds = at.0 / 1000;
        assert_eq!((claims.renewed, claims.exp, claims.iat), (count, seconds + 600, seconds));
        assert_eq!((&claims.sub, &claims.permissions), (&bearer.claims.sub, &bearer.claims.permissions));
        (token, at) = (next, at + Span::seconds(400));
    }
    let last = ring.check(&token, at, &none).expect("it is good");
    assert!(ring.renewed(&last, at, "t9".to_owned()).expect_err("enough").contains("3 times"));
    let elsewhere: Claims =
        serde_json::from_value(with(json!({"iss": "https://ci.example.org", "exp": NOW + 60})))
            .expect("claims");
    let elsewhere = sign(&elsewhere, "ci", &Signer::Key(&key_of(9).0));
    let bearer = ring.check(&elsewhere, now(), &none).expect("it is good");
    assert!(ring.renewed(&bearer, now(), "t2".to_owned()).expect_err("not ours").contains("made elsewhere"));
}

async fn ask(desk: &LocalDesk, command: Command) -> Reply {
    desk.submit(Request { id: Entropy.request_id(), command }).await
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_also_after_a_restart() {
    let dir = TempDir::new().expect("a directory");
    let engine = engine_in(dir.path()).await;
    let desk = engine.desk();
    let (ring, token) = (ring(), signed(&claims()));
    let bearer = ring.check(&token, now(), &Revoked::default()).expect("it is good");
    let name = |id: &str| TokenName {
        id: id.to_owned(),
        subject: "reviewer-1".to_owned(),
        until: Timestamp(i64::from(u32::MAX) * 1000),
    };
    let revoke = |id: &str| Command::RevokeToken {
        token: name(id),
        reason: "lost".to_owned(),
        by: crate::runtime::ann(),
    };
    // An agent gives up its own token, and no other.
    let of_agent = desk.with_actor(Arc::clone(&bearer.actor));
    assert!(matches!(ask(&of_agent, revoke("t7")).await, Reply::Refused(_)));
    assert!(matches!(ask(&of_agent, revoke("t1")).await, Reply::Recorded(_)));
    assert!(matches!(ask(&desk, revoke("t7")).await, Reply::Recorded(_)));
    drop((desk, of_agent));
    engine.close().await;
    let engine = engine_in(dir.path()).await;
    let board = engine.desk().boards().borrow().board.clone();
    assert!(board.revoked().has("t1") && board.revoked().has("t7") && !board.revoked().has("t2"));
    assert_eq!(ring.check(&token, now(), board.revoked()), Err(TokenTrouble::Revoked));
    engine.close().await;
}

const TWO: &str = "name: ship\nsteps:\n  - {id: go, gate: {prompt: \"Ship it?\", require: [{group: sre, count: 2}], undo-window: 0s}}\n  - {id: ship, needs: go, run: echo shipped}\n";

async fn decide(desk: &LocalDesk, by: &Actor, verdict: Verdict) -> Reply {
    let mut boards = desk.boards();
    let seen =
        boards.wait_for(|boards| boards.board.gate(GateId(1)).is_some()).await.expect("a gate").clone();
    let view = seen.board.gate(GateId(1)).expect("a gate").clone();
    let decision = Decision {
        id: Entropy.decision_id(),
        gate: view.id,
        epoch: view.ask.epoch,
        ask: view.hash,
        verdict,
        reason: "it looks right".to_owned(),
        // Whatever is said of who it is, the door knows better.
        by: crate::runtime::ann(),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: ValueMap::new(),
    };
    ask(&desk.with_actor(by.clone()), Command::Decide(Box::new(decision))).await
}

async fn asked(dir: &TempDir, text: &str, by: &Actor) -> (cuelight_runtime::Engine, LocalDesk, RunId) {
    let engine = engine_in(dir.path()).await;
    let desk = engine.desk().with_actor(by.clone());
    let run = run_of(&desk, launch_of(text)).await;
    (engine, desk, run)
}

fn not_allowed(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(Refusal::NotAllowed { .. } | Refusal::Voted(_)))
}

#[tokio::test]
async fn two_people_are_two_by_uid_and_token_and_one_is_one_by_both() {
    let dir = TempDir::new().expect("a directory");
    let people = people(1000);
    let ann = people.actor(1000, Channel::Console);
    let ann_by_token = check(&of_person("ann", 1, json!({"sub": "ann@example.org"}))).expect("good").actor;
    let bob = check(&of_person("bob", 2, json!({}))).expect("good").actor;
    let of_ci: Claims =
        serde_json::from_value(with(json!({"iss": "https://ci.example.org"}))).expect("claims");
    let agent = check(&sign(&of_ci, "ci", &Signer::Key(&key_of(9).0))).expect("good").actor;
    // Somebody asks who cannot answer here.
    let (engine, desk, run) = asked(&dir, TWO, &people.actor(4_000_000, Channel::Console)).await;
    assert!(not_allowed(&decide(&desk, &agent, Verdict::Approve).await), "an agent decides nothing");
    assert!(matches!(decide(&desk, &ann, Verdict::Approve).await, Reply::Recorded(_)));
    // The same person has said the same already: nothing more counts.
    drop(decide(&desk, &ann_by_token, Verdict::Approve).await);
    assert!(not_allowed(&decide(&desk, &ann_by_token, Verdict::Reject).await), "she has answered");
    let board = desk.boards().borrow().board.clone();
    assert_eq!(board.gate(GateId(1)).map(|gate| gate.votes.len()), Some(1));
    assert!(matches!(decide(&desk, &bob, Verdict::Approve).await, Reply::Recorded(_)));
    let board = comes_to_rest(&desk, run).await;
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    let votes = &board.gate(GateId(1)).expect("a gate").votes;
    let Proof::Token(proof) = &votes[1].vote.by.proof else { panic!("{votes:?}") };
    assert_eq!(
        (proof.key.as_str(), proof.id.as_str(), proof.person.as_deref()),
        ("bob", "t1", Some("person:bob"))
    );
    drop(desk);
    engine.close().await;
}

#[tokio::test]
async fn whoever_asked_does_not_answer_by_a_token_either() {
    let dir = TempDir::new().expect("a directory");
    let people = people(1000);
    let ann = people.actor(1000, Channel::Console);
    let ann_by_token = check(&of_person("sso", 3, json!({"sub": "ann@example.org"}))).expect("good").actor;
    let bob = check(&of_person("sso", 3, json!({}))).expect("good").actor;
    let four_eyes =
        "name: a\nsteps:\n  - {id: go, gate: {prompt: Go?, forbid: [run.actor], undo-window: 0s}}\n";
    let (engine, desk, run) = asked(&dir, four_eyes, &ann).await;
    let own = decide(&desk, &ann_by_token, Verdict::Approve).await;
    assert!(not_allowed(&own), "she asked for it: {own:?}");
    assert!(matches!(decide(&desk, &bob, Verdict::Approve).await, Reply::Recorded(_)));
    comes_to_rest(&desk, run).await;
    drop(desk);
    engine.close().await;
    // Nor does whoever can make the token of the agent that asked for it.
    let dir = TempDir::new().expect("a directory");
    let agent = check(&signed(&claims())).expect("it is good").actor;
    let (engine, desk, run) = asked(&dir, four_eyes, &agent).await;
    assert!(not_allowed(&decide(&desk, &ann, Verdict::Approve).await), "it is her agent");
    assert!(not_allowed(&decide(&desk, &ann_by_token, Verdict::Approve).await), "at no door");
    assert!(matches!(decide(&desk, &bob, Verdict::Approve).await, Reply::Recorded(_)));
    comes_to_rest(&desk, run).await;
    drop(desk);
    engine.close().await;
    // And the other way round: asked for with a token, answered at the console.
    let dir = TempDir::new().expect("a directory");
    let (engine, desk, _) = asked(&dir, four_eyes, &ann_by_token).await;
    assert!(not_allowed(&decide(&desk, &ann, Verdict::Approve).await), "she asked for it");
    assert!(matches!(decide(&desk, &bob, Verdict::Reject).await, Reply::Recorded(_)));
    drop(desk);
    engine.close().await;
}

#[test]
fn tokens_and_keys_are_made_at_the_command_line_and_no_secret_is_printed() {
    let place = Place::new();
    fs::create_dir(place.file(".cuelight")).expect("a directory");
    fs::set_permissions(place.file(".cuelight"), fs::Permissions::from_mode(0o700)).expect("it is ours");
    place.write(".cuelight/config.toml", "project = 'shop'\n");
    let made = place.cue(&["token", "--agent", "reviewer-1", "--type", "qa", "--expires", "10m"]).ok();
    let claims = peek(made.out.trim()).expect("a token");
    assert_eq!(
        (claims.sub.as_str(), claims.project_id.as_str(), claims.life()),
        ("reviewer-1", "shop", Span::seconds(600))
    );
    let listed = place.cue(&["token", "keys", "list", "--json"]).ok().json();
    assert_eq!(listed["audience"], claims.aud.as_str());
    let secret: Value = serde_json::from_str(&place.text(".cuelight/keys/tokens.json")).expect("JSON");
    let secret = secret["keys"][0]["secret"].as_str().expect("a secret").to_owned();
    let all = [
        place.cue(&["token", "keys"]).ok(),
        place.cue(&["token", "keys", "new"]).ok(),
        place.cue(&["token", "keys", "rotate"]).ok(),
        place.cue(&["token", "keys", "add", &key_of(9).1, "--kid", "ci"]).ok(),
        place.cue(&["token", "keys"]).ok(),
        made,
    ];
    assert!(all.iter().all(|said| !said.out.contains(&secret) && !said.err.contains(&secret)), "{all:?}");
    let made = all[5].out.trim().to_owned();
    let many = place.cue(&["token", "keys", "new"]);
    assert!(many.code != 0 && many.err.contains("4 keys are good already"), "{many:?}");
    for (args, part) in [
        (
            &["token", "--agent", "a", "--type", "qa", "--permissions", "decide_gates"][..],
            "an agent decides at no gate",
        ),
        (&["token", "--agent", "a b", "--type", "qa"], "letters, digits"),
        (&["token", "--agent", "a", "--type", "QA"], "lower-case"),
        (&["token", "--agent", "a", "--type", "qa", "--expires", "25h"], "a day at most"),
        (&["token", "--agent", "a", "--type", "qa", "--project", "../x"], "letters, digits"),
        (&["token", "--person", "ann", "--key", "nowhere"], "could not use the key"),
        (&["token", "keys", "revoke", "nobody"], "no key has that name"),
        (&["token", "keys", "add", "ssh-dss AAAA", "--kid", "x"], "ssh-keygen -t ed25519"),
    ] {
        let said = place.cue(args);
        assert!(said.code != 0 && said.err.contains(part), "{args:?}: {said:?}");
    }
    // A token whose id somebody has changed names another one.
    let mut parts: Vec<String> = made.split('.').map(str::to_owned).collect();
    let changed = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(&parts[1]).expect("base64")).expect("text");
    parts[1] = part(changed.replace(&claims.jti, "another"));
    let none = place.cue(&["token", "revoke", &parts.join("."), "--reason", "lost"]);
    assert!(none.code != 0 && none.err.contains("it is not valid"), "{none:?}");
    place.cue(&["token", "revoke", &claims.jti, "--reason", "lost"]).ok();
    let events = place.cue(&["audit", "--json"]).ok();
    assert!(events.out.contains("token.revoked") && events.out.contains(&claims.jti), "{events:?}");
}

#[test]
fn a_person_makes_a_token_with_a_key_of_their_own() {
    let place = Place::new();
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", "token"])
        .current_dir(place.path())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: could not find ssh-keygen; install it (apt-get install openssh-client)");
        return;
    }
    fs::create_dir(place.file(".cuelight")).expect("a directory");
    let line = place.text("token.pub");
    place.write(
        ".cuelight/people.toml",
        &format!(
            "[[person]]\nname = 'ann'\nuid = {}\n[[person]]\nname = 'bob'\ntoken = 'bob@example.org'\n[[token-key]]\nkid = 'laptop'\nkey = '{}'\npeople = ['bob']\n",
            rustix::process::geteuid().as_raw(),
            line.trim()
        ),
    );
    let said = place.cue(&["token", "--person", "bob", "--key", "token", "--project", "shop"]).ok();
    let people =
        People::read(&place.text(".cuelight/people.toml")).expect("people").with_standing(Standing::Root);
    let workspace = Workspace::create(place.path()).expect("a workspace");
    let keys = TokenKeys::of(&workspace).expect("readable").expect("an audience");
    let ring = KeyRing { engine: rustix::process::geteuid().as_raw(), ..ring_of(keys, people) };
    let claims = peek(said.out.trim()).expect("claims");
    let bob =
        ring.check(said.out.trim(), Timestamp(claims.iat * 1000), &Revoked::default()).expect("it is good");
    assert_eq!((bob.actor.name.as_str(), claims.sub.as_str()), ("bob", "bob@example.org"));
    assert!(public_key(&line).is_ok());
    // Its key is bob's alone: no server takes a token for ann that it signed.
    let refused = place.cue(&["token", "--person", "ann", "--key", "token"]);
    assert!(
        refused.code != 0 && refused.err.contains("this workspace would refuse the token: "),
        "{refused:?}"
    );
    // Another workspace may have other people.
    let audience = ["--audience", "cuelight/0123456789abcdef", "--project", "shop"];
    place.cue(&[&["token", "--person", "ann", "--key", "token"][..], &audience].concat()).ok();
}

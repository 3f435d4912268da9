//! Signatures over what is said, as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.payload`, where the payload is every byte that
//! was sent. Which topics want one, and which keys count, is for others.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_base::{Timestamp, is_mac, mac};

/// Limit in seconds of the difference to a sender's clock; also the time for which a signature is valid.
const CLOCK_SECONDS_MAX: i64 = 300;
/// Signatures that are looked at: a sender who rotates keys sends one for each.
const SIGNATURES_MAX: usize = 10;
/// Prefix of a secret.
const SECRET_PREFIX: &str = "whsec_";

/// The signature of a sender, from three header fields.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Value of the header `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: `v1,BASE64`, more of them with blanks between.
    pub signatures: &'a str,
}

impl Signed<'_> {
    /// Checks that one of these secrets signed this payload recently.
    ///
    /// # Errors
    /// The reason, as the end of a sentence.
    pub fn check<'a>(
        &self,
        payload: &[u8],
        secrets: impl Iterator<Item = &'a [u8; 32]> + Clone,
        now: Timestamp,
    ) -> Result<(), String> {
        let is_plain = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: i64 = self
            .timestamp
            .parse()
            .ok()
            .filter(|_| is_plain)
            .ok_or_else(|| "`webhook-timestamp` is no number of seconds since 1970".to_owned())?;
        if now.0.div_euclid(1000).abs_diff(seconds) > CLOCK_SECONDS_MAX.unsigned_abs() {
            return Err(format!(
                "it was signed more than {CLOCK_SECONDS_MAX} seconds before or after now; look at the clocks and sign it again"
            ));
        }
        if self.id.is_empty() || self.id.contains('.') {
            return Err("`webhook-id` is missing, or has a dot".to_owned());
        }
        let said = self.signatures.split_whitespace().filter_map(|word| word.strip_prefix("v1,"));
        let said = said.take(SIGNATURES_MAX).filter_map(|rest| BASE64_STANDARD.decode(rest).ok());
        for signature in said {
            let before = before(self.id, seconds);
            if secrets.clone().any(|secret| is_mac(secret, &[before.as_bytes(), payload], &signature)) {
                return Ok(());
            }
        }
        Err("no key of the topic has signed this, byte for byte".to_owned())
    }
}

/// The signature over a payload, as `webhook-signature` says it.
pub fn sign_payload(secret: &[u8], id: &str, seconds: i64, payload: &[u8]) -> String {
    let code = mac(secret, &[before(id, seconds).as_bytes(), payload]);
    format!("v1,{}", BASE64_STANDARD.encode(code))
}

/// A secret as its sender is given it.
pub fn secret_text(secret: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(secret))
}

/// The bytes that are signed before the payload.
fn before(id: &str, seconds: i64) -> String {
    format!("{id}.{seconds}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of the standard are tested with.
    #[test]
    fn the_example_of_the_standard_is_signed_as_it_is_there() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signed =
            sign_payload(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_signature_is_over_every_byte_its_id_and_its_time_and_by_a_key_that_counts() {
        let (old, new, other) = ([1; 32], [2; 32], [3; 32]);
        let now = Timestamp(1_000_000_000);
        let seconds = now.0 / 1000;
        let good = sign_payload(&old, "m1", seconds, b"{}");
        let check = |id: &str, timestamp: &str, signatures: &str, payload: &[u8]| {
            Signed { id, timestamp, signatures }.check(payload, [&old, &new].into_iter(), now)
        };
        let at = seconds.to_string();
        assert_eq!(check("m1", &at, &good, b"{}"), Ok(()));
        // Both keys count while one replaces the other, and a sender may sign with several.
        let by_new = sign_payload(&new, "m1", seconds, b"{}");
        assert_eq!(check("m1", &at, &by_new, b"{}"), Ok(()));
        assert_eq!(check("m1", &at, &format!("v1a,x v1,bm9wZQ== {good}"), b"{}"), Ok(()));
        for (id, payload) in [("m2", &b"{}"[..]), ("m1", b"{ }")] {
            assert!(check(id, &at, &good, payload).is_err_and(|error| error.contains("no key of the topic")));
        }
        let by_other = sign_payload(&other, "m1", seconds, b"{}");
        for signatures in [by_other.as_str(), "", "v1,", "v1,***", &good.replace("v1,", "v2,"), &good[3..]] {
            assert!(check("m1", &at, signatures, b"{}").is_err(), "{signatures}");
        }
        for (off, is_good) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let signed = sign_payload(&old, "m1", seconds + off, b"{}");
            assert_eq!(check("m1", &(seconds + off).to_string(), &signed, b"{}").is_ok(), is_good, "{off}");
        }
        for timestamp in ["", "x", "-1", "+1", "1e9", "99999999999999999999"] {
            assert!(
                check("m1", timestamp, &good, b"{}").is_err_and(|error| error.contains("webhook-timestamp"))
            );
        }
        assert!(check("m.1", &at, &good, b"{}").is_err() && check("", &at, &good, b"{}").is_err());
    }
}

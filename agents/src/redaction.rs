//! What known kinds of secrets look like, the same for every engine.

use tributary_crds::processor::RedactPreset;

/// The expression that secrets of the kind match. They hold ASCII only, and no look-around.
pub fn preset(preset: RedactPreset) -> &'static str {
    match preset {
        // Visa, Mastercard, JCB, Discover and UnionPay of 16 digits; Visa of 13 or 19; American Express; Diners Club.
        RedactPreset::CreditCard => {
            r"\b(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|35[0-9]{2}|6[0-9]{3})(?:[ -]?[0-9]{4}){3}\b|\b4[0-9]{12}(?:[0-9]{6})?\b|\b3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}\b|\b3(?:0[0-5]|[68][0-9])[0-9][ -]?[0-9]{6}[ -]?[0-9]{4}\b"
        }
        RedactPreset::Email => r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        RedactPreset::Ipv4 => {
            r"\b(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}\b"
        }
        RedactPreset::Jwt => r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        RedactPreset::Bearer => r"(?i)\bbearer +[a-z0-9._~+/-]+=*",
        RedactPreset::AwsKeys => {
            r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?i:aws_?(?:secret_?)?access_?key|secret_?access_?key)[\x22']?[ :=]+[\x22']?[A-Za-z0-9/+]{40}"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;

    fn found(preset: RedactPreset, text: &str) -> Vec<&str> {
        let expression = Expression::parse(super::preset(preset)).unwrap();
        let regex = regex::Regex::new(&expression.portable()).unwrap();
        regex.find_iter(text).map(|found| found.as_str()).collect()
    }

    #[test]
    fn secrets_are_found_whole() {
        for (preset, text, secret) in [
            (
                RedactPreset::CreditCard,
                "card 4111111111111111.",
                "4111111111111111",
            ),
            (
                RedactPreset::CreditCard,
                "5500 0000 0000 0004",
                "5500 0000 0000 0004",
            ),
            (
                RedactPreset::CreditCard,
                "n=6011-0009-9013-9424&",
                "6011-0009-9013-9424",
            ),
            (RedactPreset::CreditCard, "3782 822463 10005", "3782 822463 10005"),
            (RedactPreset::CreditCard, "30569309025904", "30569309025904"),
            (
                RedactPreset::Email,
                "<a.b+c@x-y.example.org>,",
                "a.b+c@x-y.example.org",
            ),
            (RedactPreset::Ipv4, "from 192.168.0.1:80", "192.168.0.1"),
            (RedactPreset::Ipv4, "255.255.255.255", "255.255.255.255"),
            (
                RedactPreset::Jwt,
                "t=eyJhbGci.eyJzdWIi.c2ln;",
                "eyJhbGci.eyJzdWIi.c2ln",
            ),
            (
                RedactPreset::Bearer,
                "authorization: bearer a.b-c==",
                "bearer a.b-c==",
            ),
            (
                RedactPreset::AwsKeys,
                "id ASIAIOSFODNN7EXAMPLE,",
                "ASIAIOSFODNN7EXAMPLE",
            ),
            (
                RedactPreset::AwsKeys,
                "{\"secretAccessKey\": \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"}",
                "secretAccessKey\": \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
        ] {
            assert_eq!(found(preset, text), [secret], "{preset:?}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_left() {
        for (preset, text) in [
            (
                RedactPreset::CreditCard,
                "1700000000000 order-4111 20260102030405",
            ),
            (RedactPreset::Email, "a@b @c.d e@"),
            (RedactPreset::Ipv4, "1.2.3 10.0.0.256 v1.2.3.4x 999.1.1.1"),
            (RedactPreset::Jwt, "eyJhbGci eyJ.x"),
            (RedactPreset::Bearer, "forbearer x, bearer"),
            (
                RedactPreset::AwsKeys,
                "AKIA1234 wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
        ] {
            assert_eq!(found(preset, text), [""; 0], "{preset:?}");
        }
    }
}

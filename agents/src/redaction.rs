//! What known kinds of secrets look like, the same for every engine.

use tributary_crds::processor::RedactPreset;

/// The expression that secrets of the kind match. They hold ASCII only, and no look-around.
pub fn preset(preset: RedactPreset) -> &'static str {
    match preset {
        // Visa, Mastercard, American Express, Discover, Diners Club, JCB, Maestro.
        RedactPreset::CreditCard => {
            r"\b[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}\b|\b3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5}\b"
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

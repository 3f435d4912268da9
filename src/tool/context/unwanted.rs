//! Names of files that are never shown: those that others make, and those that hold secrets.

/// Directories that are made, are a program's own, or hold keys.
const DIRECTORIES: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".cuelight",
    "target",
    "node_modules",
    "dist",
    "build",
    ".venv",
    "__pycache__",
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
];
/// Names of files that hold secrets, …
const SECRET_NAMES: &[&str] = &[
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".vault-token",
    ".terraformrc",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.xml",
    "secrets",
    "master.key",
    "wallet.dat",
    ".credentials",
    "shadow",
    "kubeconfig",
    "client_secret.json",
];
/// … endings of such names, …
const SECRET_ENDINGS: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".pkcs12",
    ".jks",
    ".keystore",
    ".kdbx",
    ".kdb",
    ".ppk",
    ".gpg",
    ".asc",
    ".age",
    ".ovpn",
    ".tfstate",
    ".tfstate.backup",
    ".tfvars",
    ".mobileprovision",
    ".p8",
    ".der",
    ".pgp",
    ".keytab",
    ".agekey",
];
/// … and what they begin with.
const SECRET_BEGINNINGS: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_xmss",
    ".env",
    "secrets.",
    "secret.",
    "service-account",
    "service_account",
    "serviceaccount",
    "gcloud-",
    "private_key",
    "private-key",
    "auth.json",
];

/// True if a directory is not searched.
pub(super) fn is_unwanted_directory(name: &str) -> bool {
    DIRECTORIES.iter().any(|directory| name.eq_ignore_ascii_case(directory))
}

/// True if a file's name suggests secrets. Public halves of keys count as well; nobody misses them.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_template =
        [".example", ".sample", ".template", ".dist"].iter().any(|suffix| name.ends_with(suffix));
    if name.starts_with(".env") && is_template {
        return false;
    }
    SECRET_NAMES.contains(&name.as_str())
        || SECRET_ENDINGS.iter().any(|secret_ending| name.ends_with(secret_ending))
        || SECRET_BEGINNINGS.iter().any(|secret_beginning| name.starts_with(secret_beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_secrets_are_told_by_their_names() {
        for name in [
            ".env",
            ".ENV",
            ".env.production",
            "server.pem",
            "Server.KEY",
            "id_rsa",
            "id_ed25519.pub",
            ".npmrc",
            "prod.tfstate",
            "secrets.yaml",
            "store.kdbx",
            "credentials",
            "service-account-prod.json",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            ".env.example",
            "keymap.toml",
            "main.rs",
            "secretary.rs",
            "token.rs",
            "monkey.rs",
            "environment.py",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
        assert!(
            is_unwanted_directory("node_modules")
                && is_unwanted_directory(".git")
                && !is_unwanted_directory("src")
        );
    }
}

//! Arguments of the command line. Help, completions and the manual page are made from them.

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use std::{net::SocketAddr, path::PathBuf};

/// Address and certificate of the HTTP API.
#[derive(Clone, Debug, Args)]
pub(super) struct ListenArgs {
    /// Answer over HTTP at this address as well: 127.0.0.1:3001; see docs/sidecar.md
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Encrypt, with this certificate and those behind it (PEM); read again when the file has changed
    #[arg(long, requires = "listen", requires = "tls_key", value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM); nobody else may be able to read it
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
    /// Let other machines connect without encryption: anyone on the network path can read the tokens
    #[arg(long, requires = "listen", conflicts_with = "tls_cert")]
    pub(super) insecure: bool,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Everywhere {
    /// The directory that holds (or will hold) .cuelight; found upwards from here when not given
    #[arg(long, global = true, env = "CUELIGHT_WORKSPACE", value_name = "DIR")]
    pub(super) workspace: Option<PathBuf>,
    /// Use your own inbox, where agents ask when they name no workspace; the same from every directory
    #[arg(long, global = true)]
    pub(super) inbox: bool,
    /// When to use colour; `NO_COLOR=1` means never
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(super) color: When,
    /// Format of messages on standard error; `json` is one object a line, with the requests of the API
    #[arg(long, global = true, value_enum, env = "CUELIGHT_LOG_FORMAT", value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
}

/// Look of the console.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct ScreenArgs {
    /// Colours of the console: one of themes/, one of your own, or a file
    #[arg(long, global = true, env = "CUELIGHT_THEME", value_name = "NAME")]
    pub(super) theme: Option<String>,
    /// Signs and borders in ASCII
    #[arg(long, global = true, env = "CUELIGHT_ASCII", value_parser = FalseyValueParser::new())]
    pub(super) ascii: bool,
    /// For screen readers and braille lines: words instead of boxes, signs and colours
    #[arg(long, global = true, env = "CUELIGHT_READER", value_parser = FalseyValueParser::new())]
    pub(super) reader: bool,
}

/// Format of messages on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// Splits a `key=value` argument at the first `=` into key and value.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    if key.is_empty() {
        return Err("the name before = is empty".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

//! The HTTP and WebSocket door.

use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};

use super::layers::Layers;
use super::load::{boolean, list, secret, text};

/// Fewest bytes of the token for `/metrics`: a shorter one can be found by trying.
const METRICS_TOKEN_BYTES_MIN: usize = 16;

/// The HTTP and WebSocket door.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `host:port` to listen on; port 0 takes a free one.
    pub bind: String,
    /// Whether `/ws/…` exists.
    pub enable_websockets: bool,
    /// Browser origins that may open the socket or call the API, beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Names that the server may be called under, beside loopback, addresses and the host in `bind`.
    pub allowed_hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What opens `/metrics`; `None`: coming from this machine does.
    pub metrics_token: Option<SecretString>,
}

pub(super) fn read(layers: &mut Layers) -> ServerConfig {
    let bind = text(layers, "DB_CHAT_BIND");
    let port = bind.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        layers.reject(
            "DB_CHAT_BIND",
            "must be host:port, e.g. 127.0.0.1:8080 or [::1]:8080",
        );
    }
    ServerConfig {
        bind,
        enable_websockets: boolean(layers, "DB_CHAT_ENABLE_WEBSOCKETS"),
        allowed_origins: allowed_origins(layers),
        allowed_hosts: allowed_hosts(layers),
        trusted_proxies: trusted_proxies(layers),
        metrics_token: metrics_token(layers),
    }
}

fn metrics_token(layers: &mut Layers) -> Option<SecretString> {
    const NAME: &str = "DB_CHAT_METRICS_TOKEN";
    let token = secret(layers, NAME)?;
    if token.expose_secret().len() < METRICS_TOKEN_BYTES_MIN {
        let problem = format!("must be at least {METRICS_TOKEN_BYTES_MIN} bytes long");
        layers.reject(NAME, problem);
    }
    Some(token)
}

fn allowed_origins(layers: &mut Layers) -> Vec<String> {
    let allowed_origins = list(&text(layers, "DB_CHAT_ALLOWED_ORIGINS"));
    for origin in &allowed_origins {
        let rest = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        if rest.is_none_or(|host| host.is_empty() || host.contains('/')) {
            let problem = format!(
                "{origin:?} must be a scheme and a host without a path, e.g. https://app.example.com"
            );
            layers.reject("DB_CHAT_ALLOWED_ORIGINS", problem);
        }
    }
    allowed_origins
}

fn allowed_hosts(layers: &mut Layers) -> Vec<String> {
    let allowed_hosts = list(&text(layers, "DB_CHAT_ALLOWED_HOSTS"));
    for host in &allowed_hosts {
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host != "*" && (!is_name || host == ".") {
            let problem = format!(
                "{host:?} must be a name without scheme and port: chat.example.com, .example.com for subdomains too, or *"
            );
            layers.reject("DB_CHAT_ALLOWED_HOSTS", problem);
        }
    }
    allowed_hosts
}

fn trusted_proxies(layers: &mut Layers) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for item in list(&text(layers, "DB_CHAT_TRUSTED_PROXIES")) {
        let network = item.parse().ok();
        match network.or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from)) {
            // Then whoever writes the header says where they come from.
            Some(network) if network.prefix_len() == 0 => layers.reject(
                "DB_CHAT_TRUSTED_PROXIES",
                format!("{item:?} would believe everybody; name the proxies' own network"),
            ),
            Some(network) => networks.push(network),
            None => layers.reject(
                "DB_CHAT_TRUSTED_PROXIES",
                format!("{item:?} must be an address or a network such as 10.0.0.0/8"),
            ),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use crate::config::resolve;

    fn check(name: &str, value: &str, expected: Option<&str>) {
        let variables = [(name.to_owned(), value.to_owned())];
        let faults = resolve(None, variables.into_iter(), &[]).err();
        let found = faults.map(|error| error.faults[0].problem.clone());
        assert_eq!(found.as_deref(), expected, "{value}");
    }

    #[test]
    fn nobody_is_a_proxy_by_the_way() {
        let name = "DB_CHAT_TRUSTED_PROXIES";
        check(name, "10.0.0.0/8, 127.0.0.1, ::1, fd00::/8", None);
        for value in ["0.0.0.0/0", "::/0"] {
            let problem =
                format!("{value:?} would believe everybody; name the proxies' own network");
            check(name, value, Some(&problem));
        }
        for value in ["10.0.0.0/33", "10.0.0", "proxy.internal", "*"] {
            let problem = format!("{value:?} must be an address or a network such as 10.0.0.0/8");
            check(name, value, Some(&problem));
        }
    }

    #[test]
    fn a_token_for_metrics_cannot_be_found_by_trying() {
        let name = "DB_CHAT_METRICS_TOKEN";
        check(name, "0123456789abcdef", None);
        let problem = "must be at least 16 bytes long";
        check(name, "0123456789abcde", Some(problem));
    }
}

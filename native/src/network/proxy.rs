//! Proxy variables that name the machine's loopback: in a network of its own a program finds nobody there.

/// What to tell about the first such variable, without a user's name or password; `None` where all can be reached.
pub fn unreachable(env: &[String]) -> Option<String> {
    env.iter().find_map(|variable| {
        let (name, value) = variable.split_once('=')?;
        let lower = name.to_ascii_lowercase();
        let authority = authority(value);
        let proxy = lower.ends_with("_proxy") && lower != "no_proxy";
        (proxy && is_loopback(host(authority))).then(|| {
            format!(
                "{name} names a proxy on this machine's loopback (\"{authority}\"), which containers do not reach: let the proxy listen on \
                 another address of the machine, or use --network host"
            )
        })
    })
}

/// `host:port` of `scheme://user:password@host:port/path`.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::unreachable;

    #[test]
    fn a_proxy_on_the_loopback_is_found_and_no_password_is_told() {
        for (variable, want) in [
            ("HTTP_PROXY=http://127.0.0.1:3128", Some("\"127.0.0.1:3128\"")),
            (
                "https_proxy=http://user:pass@localhost:3128/",
                Some("\"localhost:3128\""),
            ),
            ("ALL_PROXY=socks5h://[::1]:1080", Some("\"[::1]:1080\"")),
            ("http_proxy=127.3.2.1", Some("\"127.3.2.1\"")),
            ("http_proxy=http://proxy.localhost.:1", Some("\"proxy.localhost.:1\"")),
            ("http_proxy=http://192.0.2.1:3128", None),
            ("http_proxy=http://user:x@127.0.0.1@192.0.2.1", None),
            ("NO_PROXY=127.0.0.1", None),
            ("http_proxy=", None),
            ("PATH=127.0.0.1", None),
        ] {
            let told = unreachable(&[variable.to_owned()]);
            let expected = want.map(|part| (true, true, part.to_owned()));
            let found = told.map(|text| {
                let part = text
                    .split_once('(')
                    .and_then(|(_, rest)| rest.split_once(')'))
                    .map(|(part, _)| part.to_owned());
                (
                    text.starts_with(variable.split('=').next().unwrap_or_default()),
                    !text.contains("pass@"),
                    part.unwrap_or_default(),
                )
            });
            assert_eq!(found, expected, "{variable}");
        }
    }
}

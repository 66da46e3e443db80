//! `haproxy.cfg`, as far as doctor judges it.

use std::net::IpAddr;

use repoint_domain::doctor::facts::node::{HaproxyCfg, HaproxySection};

/// Words that begin a section (Configuration Manual, 2.1).
const SECTIONS: [&str; 6] = ["global", "defaults", "listen", "backend", "frontend", "peers"];

/// Reads the text of a configuration. What a `defaults` section says counts for the sections after it.
pub fn parse(text: &str) -> HaproxyCfg {
    let mut cfg = HaproxyCfg::default();
    let (mut kind, mut name, mut defaults) = ("", String::new(), HaproxySection::default());
    for line in text.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_ascii_whitespace().collect();
        let Some(first) = words.first().copied() else { continue };
        if SECTIONS.contains(&first) {
            (kind, name) = (first, words.get(1).copied().unwrap_or_default().to_owned());
            match kind {
                "defaults" => defaults = HaproxySection::default(),
                "listen" | "backend" => drop(cfg.sections.insert(name.clone(), defaults.clone())),
                _ => {}
            }
            continue;
        }
        cfg.has_hard_stop |= kind == "global" && first == "hard-stop-after";
        let section = match kind {
            "defaults" => &mut defaults,
            "listen" | "backend" => cfg.sections.entry(name.clone()).or_default(),
            _ => continue,
        };
        match first {
            "load-server-state-from-file" => {
                section.loads_state = words.get(1).is_some_and(|from| *from != "none");
            }
            "option" if words.get(1) == Some(&"httpchk") => {
                let path = words[2..].iter().find(|word| word.starts_with('/')).unwrap_or(&"/");
                section.check_path = Some((*path).to_owned());
            }
            "http-check" if words.get(1) == Some(&"send") => {
                let path = words.iter().skip_while(|word| **word != "uri").nth(1);
                section.check_path = path.map(|path| (*path).to_owned()).or(section.check_path.take());
            }
            "default-server" | "server" => {
                section.cuts_sessions |= words.contains(&"shutdown-sessions");
                if let ["server", name, address, options @ ..] = &words[..]
                    && forgets_address(address, options)
                {
                    section.forgets_address.insert((*name).to_owned());
                }
            }
            _ => {}
        }
    }
    cfg
}

/// Whether a server's address is the configured one after each start.
fn forgets_address(address: &str, options: &[&str]) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let methods = options.iter().skip_while(|option| **option != "init-addr").nth(1);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || methods.is_some_and(|methods| !methods.split(',').any(|method| method == "last"))
}

#[cfg(test)]
mod tests {
    use super::{HaproxySection, parse};

    #[test]
    fn a_section_has_what_its_defaults_have() {
        let cfg = parse(
            "global\n  hard-stop-after 30s # soon\n\ndefaults\n  load-server-state-from-file global\n\nlisten one\n  default-server \
             inter 1s on-marked-down shutdown-sessions\n\ndefaults other\n  mode tcp\nbackend two\n  server a 10.0.0.1:5432 check\n",
        );
        let section = |loads_state, cuts_sessions| HaproxySection {
            loads_state,
            cuts_sessions,
            ..HaproxySection::default()
        };
        assert!(cfg.has_hard_stop);
        assert_eq!(cfg.sections["one"], section(true, true));
        let two = HaproxySection { forgets_address: ["a".to_owned()].into(), ..section(false, false) };
        assert_eq!(cfg.sections["two"], two);
        assert!(!parse("# hard-stop-after 30s\ndefaults\n  hard-stop-after 30s\n").has_hard_stop);
    }

    #[test]
    fn the_path_of_the_check_has_three_forms() {
        let path =
            |lines: &str| parse(&format!("backend one\n  {lines}\n")).sections["one"].check_path.clone();
        assert_eq!(path("option httpchk OPTIONS /primary HTTP/1.0").as_deref(), Some("/primary"));
        assert_eq!(path("option httpchk").as_deref(), Some("/"));
        assert_eq!(
            path("option httpchk\n  http-check send meth GET uri /master").as_deref(),
            Some("/master")
        );
        assert_eq!(path("mode tcp"), None);
    }

    #[test]
    fn the_address_of_a_name_outlasts_a_reload() {
        let cfg = parse(
            "listen one\n  server a a.invalid:1 disabled init-addr last,192.0.2.1\n  server b b.invalid:1\n  server c c.invalid:1 \
             init-addr libc,none\n  server d [fd00::1]:1\n",
        );
        assert_eq!(cfg.sections["one"].forgets_address, ["c".to_owned(), "d".to_owned()].into());
    }
}

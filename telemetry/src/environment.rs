use crate::Error;

/// A variable's text; an empty one counts as unset.
pub(crate) fn text(name: &'static str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error { setting: name, fault: "it is not UTF-8".into() }),
    }
}

/// Refuses an address that this build can't reach.
pub(crate) fn reachable(setting: &'static str, address: &str) -> Result<(), Error> {
    if cfg!(feature = "tls") || !address.starts_with("https:") {
        return Ok(());
    }
    Err(Error { setting, fault: "this program was built without the feature `tls`".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_over_tls_needs_the_feature() {
        reachable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318").unwrap();
        let said = reachable("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");
        assert_eq!(said.is_ok(), cfg!(feature = "tls"));
    }
}

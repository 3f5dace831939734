//! The gateway's address on its outer side.

use std::net::IpAddr;

use aqueduct_core::net::{is_local, is_usable};

use super::failure::Failure;

/// An external address that a gateway can have. Private ones are possible: the gateway is behind
/// another one.
pub(super) fn external(address: IpAddr) -> Result<IpAddr, Failure> {
    if address.is_unspecified() {
        return Err(Failure::Offline);
    }
    let is_possible = is_usable((address, 1).into()) && !address.is_loopback();
    is_possible
        .then_some(address)
        .ok_or(Failure::Address(address))
}

/// Whether peers on the internet can reach an address.
pub(super) const fn is_public(address: IpAddr) -> bool {
    !is_local(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_address_that_no_gateway_can_have_is_refused_and_a_private_one_is_told_apart() {
        let of = |text: &str| external(text.parse().unwrap());
        assert_eq!(of("0.0.0.0"), Err(Failure::Offline));
        for impossible in ["224.0.0.1", "255.255.255.255", "127.0.0.1", "0.1.2.3"] {
            assert!(
                matches!(of(impossible), Err(Failure::Address(_))),
                "{impossible}"
            );
        }
        for private in ["10.0.0.1", "100.64.0.1", "192.168.1.1", "169.254.0.1"] {
            assert!(of(private).is_ok_and(|address| !is_public(address)));
        }
        assert!(of("203.0.113.9").is_ok_and(is_public));
    }
}

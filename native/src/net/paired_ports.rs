//! A TCP and a UDP port of one number, which is all that other peers learn of us.

use std::io;
use std::ops::Range;

/// How many numbers of the system's choice are tried: it knows only that they are free for TCP.
const CHOSEN_BY_SYSTEM: usize = 32;

/// The numbers to try: `wanted`, which is 0 if the system is to choose; or without one those of
/// `preferred`, and then the system's.
#[must_use]
pub fn numbers(wanted: Option<u16>, preferred: Range<u16>) -> Vec<u16> {
    let any = [0; CHOSEN_BY_SYSTEM].into_iter();
    match wanted {
        Some(0) => any.collect(),
        Some(number) => vec![number],
        None => preferred.chain(any).collect(),
    }
}

/// Opens the ports of the first of `numbers` that is free for TCP and for UDP. If there is none,
/// only TCP's, of the first number that is free for it, and returns the error of UDP. Also returns
/// the number, which `open_tcp` knows if the system chose it.
///
/// # Errors
/// No number is free for TCP; or TCP fails for another reason, as it then would with all of them.
pub fn open<T, U>(
    numbers: impl IntoIterator<Item = u16>,
    open_tcp: impl Fn(u16) -> io::Result<(T, u16)>,
    open_udp: impl Fn(u16) -> io::Result<U>,
) -> io::Result<(T, u16, io::Result<U>)> {
    // They stay open meanwhile, so that the system does not choose them again.
    let mut without_udp = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for number in numbers {
        let (tcp, number) = match open_tcp(number) {
            Ok(opened) => opened,
            Err(error) if is_taken(&error) => {
                last = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        match open_udp(number) {
            Err(error) if is_taken(&error) => without_udp.push((tcp, number, Err(error))),
            udp => return Ok((tcp, number, udp)),
        }
    }
    without_udp.into_iter().next().ok_or(last)
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens ports of these numbers, where 0 stands for 40,000. Those of `tcp` and `udp` are taken.
    fn open_where_taken(
        numbers: &[u16],
        tcp: &[u16],
        udp: &[u16],
    ) -> Result<(u16, bool), io::ErrorKind> {
        let free = |taken: &[u16], number| match taken.contains(&number) {
            true => Err(io::Error::from(io::ErrorKind::AddrInUse)),
            false => Ok(()),
        };
        let chosen = |number: u16| if number == 0 { 40_000 } else { number };
        let opened = open(
            numbers.iter().copied(),
            |number| free(tcp, chosen(number)).map(|()| ((), chosen(number))),
            |number| free(udp, number),
        );
        let opened = opened.map(|((), number, udp)| (number, udp.is_ok()));
        opened.map_err(|error| error.kind())
    }

    #[test]
    fn the_number_is_the_first_that_is_free_for_both() {
        assert_eq!(open_where_taken(&[1, 2, 3], &[], &[]), Ok((1, true)));
        assert_eq!(open_where_taken(&[1, 2, 3], &[1], &[2]), Ok((3, true)));
        assert_eq!(open_where_taken(&[1, 0], &[], &[1]), Ok((40_000, true)));
    }

    #[test]
    fn where_udp_has_no_port_tcp_gets_the_first_that_is_free_for_it() {
        assert_eq!(open_where_taken(&[1, 2, 3], &[1], &[2, 3]), Ok((2, false)));
        let taken = Err(io::ErrorKind::AddrInUse);
        assert_eq!(open_where_taken(&[1, 2], &[1, 2], &[]), taken);
    }

    #[test]
    fn an_error_of_the_system_is_not_tried_again() {
        let refused = |_| Err::<((), u16), _>(io::Error::from(io::ErrorKind::PermissionDenied));
        let error = open([1, 2], refused, |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let unavailable = |_| Err::<(), _>(io::Error::from(io::ErrorKind::AddrNotAvailable));
        let ((), number, udp) = open([1, 2], |number| Ok(((), number)), unavailable).unwrap();
        assert_eq!(number, 1);
        assert_eq!(udp.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_number_that_the_user_wants_is_the_only_one() {
        assert_eq!(numbers(Some(7), 1..3), [7]);
        assert_eq!(numbers(Some(0), 1..3), [0; CHOSEN_BY_SYSTEM]);
        assert_eq!(numbers(None, 1..3)[..3], [1, 2, 0]);
    }
}

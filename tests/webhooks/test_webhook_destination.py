"""Where webhooks may not go, whatever a tenant writes as the address."""

import ipaddress
from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.webhooks.destination import Reach, SystemResolver, is_public, parse_url, resolve
from context.webhooks.errors import DestinationRefusedError

PUBLIC = "93.184.216.34"
WITH_IPV4_INSIDE = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "2002::/16", "::ffff:0:0/96")]
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"


class Names:
    """A name server that answers what a test says, and counts."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.addresses[host.partition(".")[0]]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",  # not encrypted
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "javascript:alert(1)",
        "//hooks.example/",
        "hooks.example",
        "https://",
        "https:///path",
        "",
        "https://user@hooks.example/",
        "https://user:word@hooks.example/",
        "https://hooks.example@127.0.0.1/",
        "https://127.0.0.1\\@hooks.example/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example#@127.0.0.1/",
        "https://hooks.example/\r\nHost: inside",
        "https://hooks.example/ x",
        "https://hooks.example/\x00",
        "https://ⓗⓞⓞⓚⓢ.example/",
        "https://127。0。0。1/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://[::1/",
        "https://2130706433/",  # 127.0.0.1 as one number
        "https://0x7f000001/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://10.0x1/",
        "https://127.0.0.1./",
        "https://0/",
        "https://hooks.example/" + "x" * 2000,
    ],
)
async def test_an_address_that_is_none_or_hides_one_is_refused(url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        await resolve(parse_url(url, Reach.PUBLIC_ONLY), Reach.PUBLIC_ONLY, Names(hooks=[PUBLIC]))


INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.9.9"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.5", "192.0.0.8"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b:1::1", "fd00:ec2::254"),
]


@pytest.mark.parametrize("address", INSIDE)
async def test_an_address_inside_is_refused_written_out_or_behind_a_name(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for url, names in (
        (f"https://{host}/", Names()),
        ("https://hooks.example/", Names(hooks=[address])),
        ("https://hooks.example/", Names(hooks=[PUBLIC, address])),
        ("https://hooks.example/", Names(hooks=[address, PUBLIC_6])),
    ):
        with pytest.raises(DestinationRefusedError, match="not public"):
            await resolve(parse_url(url, Reach.PUBLIC_ONLY), Reach.PUBLIC_ONLY, names)


@given(st.ip_addresses())
def test_nothing_that_the_registries_call_special_is_public(address: ipaddress.IPv4Address) -> None:
    if any(address in network for network in WITH_IPV4_INSIDE if network.version == address.version):
        return  # judged by the address inside: the next law
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    assert not (is_public(address) and (special or address.is_reserved or address.is_unspecified))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)
    assert {is_public(wrapped) for wrapped in (mapped, nat64, six_to_four)} == {is_public(address)}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example/in?x=1", "hooks.example", None),
        ("https://HOOKS.example:8443", "hooks.example", 8443),
        (f"https://{PUBLIC}/", PUBLIC, None),
        (f"https://[{PUBLIC_6}]:8443/", PUBLIC_6, 8443),
        ("https://hooks.example./", "hooks.example.", None),
        ("https://xn--bcher-kva.example/%20a", "xn--bcher-kva.example", None),
    ],
)
async def test_a_public_https_address_is_taken_and_the_connection_goes_to_what_was_checked(
    url: str, host: str, port: int | None
) -> None:
    names = Names(hooks=[PUBLIC, PUBLIC_6, PUBLIC], **{"xn--bcher-kva": [PUBLIC]})
    parsed = parse_url(url, Reach.PUBLIC_ONLY)
    destination = await resolve(parsed, Reach.PUBLIC_ONLY, names)
    assert (parsed.raw_host.decode(), parsed.port) == (host, port)
    assert {pinned.host for pinned in destination.pinned_urls} <= {PUBLIC, PUBLIC_6}
    assert {pinned.raw_path for pinned in destination.pinned_urls} == {httpx.URL(url).raw_path}


async def test_for_development_loopback_is_allowed_and_nothing_else_that_is_inside() -> None:
    reach = Reach.LOOPBACK_TOO
    for url in ("http://127.0.0.1:8000/", "http://[::1]:8000/", "https://localhost/"):
        await resolve(parse_url(url, reach), reach, Names(localhost=["127.0.0.1", "::1"]))
    for url in ("https://10.0.0.1/", "https://169.254.169.254/", "http://192.168.1.1/", "https://mixed.example/"):
        with pytest.raises(DestinationRefusedError, match="not public"):
            await resolve(parse_url(url, reach), reach, Names(mixed=["127.0.0.1", "10.0.0.1"]))
    with pytest.raises(DestinationRefusedError, match="only https"):
        await resolve(parse_url("http://hooks.example/", reach), reach, Names(hooks=[PUBLIC]))


async def test_the_machines_own_resolver_reads_numbers_as_addresses_and_those_are_refused() -> None:
    resolver = SystemResolver()
    try:
        assert await resolver("localhost", 443)
        assert await resolver("0x7f000001", 443) == ["127.0.0.1"]  # why numeric hosts are refused before
        with pytest.raises(DestinationRefusedError, match="not public"):
            await resolve(parse_url("https://localhost/", Reach.PUBLIC_ONLY), Reach.PUBLIC_ONLY, resolver)
        with pytest.raises(OSError):  # noqa: PT011 - whatever the system says about it
            await resolver("x" * 64 + ".example", 443)
    finally:
        resolver.close()

"""forge.py - the token on stdin, made into one that must be refused.

	python3 forge.py VARIANT KEYS < token

KEYS is the folder with the issuer's keys.  Most variants are signed again
with its own private key, so that the signature is right and only the one
thing is wrong; "same" changes nothing and must be accepted, which shows that
it is that one thing that refuses the others.
"""
import base64
import hashlib
import hmac
import json
import sys

from jwt.algorithms import get_default_algorithms


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def unpart(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def read(name):
    with open(name, "rb") as f:
        return f.read()


variant, keys = sys.argv[1:3]
head64, body64, sig = sys.stdin.read().strip().split(".")
head, body = unpart(head64), unpart(body64)
pem = f"{keys}/{head['kid']}"

if variant == "tampered":
    body["scope"] = "admin"
    print(f"{head64}.{part(body)}.{sig}")
elif variant == "none":
    print(f"{part({**head, 'alg': 'none'})}.{body64}.")
elif variant == "hs256":
    text = f"{part({**head, 'alg': 'HS256'})}.{body64}"
    mac = hmac.new(read(pem + ".pub.pem"), text.encode(), hashlib.sha256)
    print(f"{text}.{b64(mac.digest())}")
else:
    {
        "same": lambda: None,
        "issuer": lambda: body.update(iss="https://other.example/ephid"),
        "audience": lambda: body.update(aud="https://other.example"),
        "no-exp": lambda: body.pop("exp"),
        "type": lambda: head.update(typ="statuslist+jwt"),
        "crit": lambda: head.update(crit=["x"], x=1),
    }[variant]()
    text = f"{part(head)}.{part(body)}"
    name = "EdDSA" if head["alg"] == "Ed25519" else head["alg"]
    alg = get_default_algorithms()[name]
    key = alg.prepare_key(read(pem + ".pem"))
    print(f"{text}.{b64(alg.sign(text.encode(), key))}")

"""verify.py - is the token on stdin one that this service may act on?

	python3 verify.py JWKS ISSUER AUDIENCE < token

JWKS is a file with what `ephid-keygen --jwks` printed.  Prints sub and scope
and exits 0, or says why not and exits 1.  PyJWT checks alg, iss, aud and exp
(exp must be asked for); typ is compared here, for it does not look at it.
"""
import json
import sys

import jwt

ALGORITHMS = ("ES256", "RS256")


def verify(token, jwks, issuer, audience):
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("typ is not at+jwt")
    for key in jwks["keys"]:
        if key["kid"] == header.get("kid") and key["alg"] in ALGORITHMS:
            break
    else:
        raise jwt.InvalidTokenError("no such key")
    return jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=[key["alg"]],  # the key's, whatever the token says
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )


with open(sys.argv[1], encoding="utf-8") as f:
    jwks = json.load(f)
try:
    claims = verify(sys.stdin.read().strip(), jwks, *sys.argv[2:4])
except jwt.PyJWTError as e:
    sys.exit(f"refused: {type(e).__name__}: {e}")
print(claims["sub"], claims.get("scope", ""))

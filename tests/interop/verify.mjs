// verify.mjs - is the token on stdin one that this service may act on?
//
//	node verify.mjs JWKS ISSUER AUDIENCE < token
//
// JWKS is a file with what `ephid-keygen --jwks` printed.  Prints sub and
// scope and exits 0, or says why not and exits 1.  npm jose checks alg (of the
// key and of the list), iss, aud, exp and typ; exp must be asked for.
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify } from 'jose';

const [jwks, issuer, audience] = process.argv.slice(2);
const keys = createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')));
const token = readFileSync(0, 'utf8').trim();

try {
	const { payload } = await jwtVerify(token, keys, {
		algorithms: ['ES256', 'RS256', 'Ed25519'],
		issuer,
		audience,
		typ: 'at+jwt',
		requiredClaims: ['exp', 'sub'],
	});
	console.log(payload.sub, payload.scope ?? '');
} catch (e) {
	console.error(`refused: ${e.code}: ${e.message}`);
	process.exitCode = 1;
}

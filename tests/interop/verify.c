/*
 * verify - is the token on stdin one that this service may act on?
 *
 *	cc verify.c -o verify -ljwt
 *	verify PEM ALG ISSUER AUDIENCE < token
 *
 * PEM is a file with what `ephid-keygen --pem` printed.  Prints sub and exits
 * 0, or says why not and exits 1.
 *
 * libjwt 1.10 checks the signature, and takes no typ but JWT: mint with
 * `--form federation'.  All else is up to the caller, alg above all: the
 * library takes it from the token, so that a public key, which everyone has,
 * would do as the secret of an HS256.  It knows neither Ed25519 nor PS256.
 */
#include <jwt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static size_t
slurp(FILE *f, char *buf, size_t size)
{
	size_t n = fread(buf, 1, size - 1, f);

	buf[n] = '\0';
	return n;
}

static const char *
why_not(jwt_t *jwt, const char *alg, const char *iss, const char *aud)
{
	const char *typ = jwt_get_header(jwt, "typ");
	const char *have_iss = jwt_get_grant(jwt, "iss");
	const char *have_aud = jwt_get_grant(jwt, "aud");

	if (jwt_get_alg(jwt) != jwt_str_alg(alg))
		return "alg is not the key's";
	if (typ == NULL || strcmp(typ, "JWT") != 0)
		return "typ is not JWT";
	if (have_iss == NULL || strcmp(have_iss, iss) != 0)
		return "iss is another issuer";
	if (have_aud == NULL || strcmp(have_aud, aud) != 0)
		return "aud is another audience";
	/* 0 when there is none: long past. */
	if (jwt_get_grant_int(jwt, "exp") <= (long)time(NULL))
		return "exp is over";
	if (jwt_get_grant(jwt, "sub") == NULL)
		return "no sub";
	return NULL;
}

int
main(int argc, char **argv)
{
	static char key[8192], token[16385];
	size_t keylen;
	const char *why;
	jwt_t *jwt = NULL;
	FILE *f;

	if (argc != 5 || (f = fopen(argv[1], "r")) == NULL) {
		fprintf(stderr, "usage: verify PEM ALG ISSUER AUDIENCE\n");
		return 2;
	}
	keylen = slurp(f, key, sizeof(key));
	fclose(f);
	slurp(stdin, token, sizeof(token));
	token[strcspn(token, "\r\n")] = '\0';

	if (jwt_decode(&jwt, token, (unsigned char *)key, (int)keylen) != 0)
		why = "malformed or bad signature";
	else
		why = why_not(jwt, argv[2], argv[3], argv[4]);
	if (why == NULL)
		printf("%s\n", jwt_get_grant(jwt, "sub"));
	else
		fprintf(stderr, "refused: %s\n", why);
	jwt_free(jwt);
	return why == NULL ? 0 : 1;
}

#include "config.h"

#include "verification.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "io.h"
#include "jwt.h"

#define JWKS_MAX (1 << 20)
#define SKEW 60 /* seconds */

/* --- what is asked for -------------------------------------------------- */

bool
verification_is_asked(const struct verification *v)
{
	return v->audience != NULL || v->issuer != NULL || v->jwks != NULL ||
	    v->status != NULL || v->policy != NULL;
}

static bool
is(const char *text, const char *name)
{
	return text != NULL && strcmp(text, name) == 0;
}

static int
check_words(const struct verification *v, struct err *e)
{
	if (v->status != NULL && !is(v->status, "ledger") &&
	    !is(v->status, "none"))
		return err_set(
		    e, ERR_USAGE, "option '--status': neither ledger nor none");
	if (v->policy != NULL && !is(v->policy, "require") &&
	    !is(v->policy, "prefer") && !is(v->policy, "skip"))
		return err_set(e, ERR_USAGE,
		    "option '--status-policy': not require, prefer or skip");
	return 0;
}

int
verification_check(struct verification *v, struct err *e)
{
	if ((v->jwks == NULL) != (v->issuer == NULL))
		return err_set(e, ERR_USAGE, "--jwks and --iss go together");
	if (check_words(v, e) < 0)
		return -1;
	if (v->jwks != NULL && is(v->status, "ledger"))
		return err_set(e, ERR_USAGE,
		    "--status ledger wants the ledger's own keys, not --jwks");
	if (v->jwks != NULL &&
	    (strncmp(v->jwks, "https:", 6) == 0 ||
		strncmp(v->jwks, "http:", 5) == 0))
		return err_set(e, ERR_USAGE,
		    "option '--jwks': URLs are not in this version");
	v->source =
	    v->jwks != NULL || is(v->status, "none") || is(v->policy, "skip")
	    ? STATUS_NONE
	    : STATUS_LEDGER;
	return 0;
}

int
verification_load_keys(struct verification *v, int64_t now_ms, struct err *e)
{
	scoped(buf_free) struct buf text = {0};

	if (v->jwks == NULL)
		return 0;
	v->now = now_ms / CLOCK_SECOND;
	key_start(false);
	if (io_read_file(AT_FDCWD, v->jwks, JWKS_MAX, &text, e) < 0)
		return -1;
	if (keyset_parse(buf_str(&text), text.len, &v->keys, e) < 0)
		return err_in(e, "'%s'", v->jwks);
	return 0;
}

void
verification_close(struct verification *v)
{
	if (v->keys != NULL)
		keyset_free(v->keys);
	v->keys = NULL;
}

/* --- the verdict -------------------------------------------------------- */

static const struct key *
find_key(void *ctx, const char *kid)
{
	return keyset_find(ctx, kid);
}

static void
verify_with_keys(
    const struct verification *v, const struct buf *token, struct verdict *out)
{
	const struct jwt_expect want = {.find_key = find_key,
	    .ctx = v->keys,
	    .issuer = v->issuer,
	    .audience = v->audience,
	    .now = v->now,
	    .skew = SKEW,
	    .expiry_skew = SKEW};

	*out = (struct verdict){.word = JWT_VALID};
	out->word = jwt_verify(buf_str(token), token->len, &want, &out->claims);
}

/* The own token is looked at as a verifier would, not as a parent: one that
 * --only spared lives, though it bears no children. */
static int
verify_at_home(const struct verification *v, struct lifecycle *lc,
    const struct buf *token, struct verdict *out, struct err *e)
{
	const struct verify_request rq = {.token = buf_str(token),
	    .len = token->len,
	    .audience = v->audience,
	    .status = v->source};

	return lifecycle_verify(lc, &rq, out, e);
}

/* A status that is required and was not asked for is unavailable. */
static void
require_status(const struct verification *v, struct verdict *out)
{
	if (out->word != JWT_VALID || v->source != STATUS_NONE ||
	    !is(v->policy, "require"))
		return;
	verdict_clear(out);
	out->word = JWT_STATUS_UNAVAILABLE;
	snprintf(out->detail, sizeof out->detail,
	    "a status is required and none was asked for");
}

static void
warn_of_unchecked(const struct verification *v, bool own)
{
	if (v->audience == NULL && !own)
		cli_warn("audience not checked");
	if (v->source == STATUS_NONE &&
	    (v->policy == NULL || is(v->policy, "prefer")))
		cli_warn("status not checked");
}

int
verification_of(const struct verification *v, struct lifecycle *lc,
    const struct buf *token, bool own, struct verdict *out, struct err *e)
{
	if (v->keys != NULL)
		verify_with_keys(v, token, out);
	else if (verify_at_home(v, lc, token, out, e) < 0)
		return -1;
	require_status(v, out);
	if (out->word == JWT_VALID)
		warn_of_unchecked(v, own);
	return 0;
}

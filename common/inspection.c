#include "config.h"

#include "inspection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "io.h"
#include "json.h"
#include "jwt.h"
#include "ledger.h"
#include "receipt.h"
#include "record.h"

#define RECEIPT_MAX (16 << 20)

struct inspection {
	const struct verification *how;
	struct lifecycle *lc;
	struct outlet *out;
	size_t seen; /* operands so far, lines of stdin among them */
	bool many;        /* so that answers say what they are of */
	const char *file; /* that of the operand at hand, or NULL */
	int64_t now;      /* of receipts, which may come without a home */
};

bool
inspection_is_file(const char *operand)
{
	return strchr(operand, '/') != NULL;
}

/* An empty stdin must not look like a yes. */
static int
each_operand(struct inspection *in, int n, char *const *operands,
    int (*fn)(const char *operand, void *arg))
{
	int status = cli_each_operand(n, operands, fn, in);
	struct err e;

	if (status != 0 || in->seen > 0)
		return status;
	err_set(&e, ERR_INVALID, "stdin holds neither an id nor a token");
	return outlet_fail(&e);
}

static int
find_own(struct buf *token)
{
	struct err e;
	int found = cli_own_token(token, &e);

	if (found == 0)
		err_set(&e, ERR_MISSING,
		    "no token: neither EPHID_TOKEN_FILE nor EPHID_TOKEN is "
		    "set; see 'ephid-inspect --help'");
	return found > 0 ? 0 : outlet_fail(&e);
}

/* --- identities --------------------------------------------------------- */

static int
show_identity(struct inspection *in, const char *operand)
{
	scoped(free_json) cJSON *record = NULL;
	int64_t now = lifecycle_now(in->lc);
	struct identity id = {0};
	char name[ID_LEN + 1];
	struct err e;
	bool active;
	int got;

	if (lifecycle_resolve(in->lc, operand, name, &e) < 0 ||
	    ledger_find(in->lc->ledger, name, &id, &e) < 0)
		return outlet_fail(&e);
	active = identity_state(&id, now) == ID_ACTIVE;
	got = record_identity(in->lc->ledger, &id, now, &record, &e);
	identity_clear(&id);
	if (got < 0)
		return outlet_fail(&e);
	outlet_show(in->out, record);
	return active ? 0 : 1;
}

/* --- tokens ------------------------------------------------------------- */

/* stdout has nothing that is not verified, but the JSON verdict. */
static int
show_verdict(struct inspection *in, const struct verdict *v)
{
	scoped(free_json) cJSON *record = record_verdict(v);
	const char *file = in->many ? in->file : NULL;
	struct err e;

	if (file != NULL)
		json_add_string(record, "operand", file);
	if (v->word == JWT_VALID) {
		outlet_show(in->out, record);
		return 0;
	}
	if (in->out->json)
		outlet_show(in->out, record);
	err_set(&e, ERR_INVALID, "%s%s%s", jwt_verdict_word(v->word),
	    *v->detail != '\0' ? ": " : "", v->detail);
	if (file != NULL)
		err_in(&e, "%s", file);
	return outlet_fail(&e);
}

static int
verify(struct inspection *in, const struct buf *token, bool own)
{
	struct verdict v;
	struct err e;
	int status;

	if (verification_of(in->how, in->lc, token, own, &v, &e) < 0)
		return outlet_fail(&e);
	status = show_verdict(in, &v);
	verdict_clear(&v);
	return status;
}

/* A file that cannot be a token is a verdict; one that cannot be read is an
 * error. */
static int
verify_file(struct inspection *in, const char *path)
{
	scoped(buf_free) struct buf token = {0};
	struct verdict v = {.word = JWT_MALFORMED};
	struct err e;

	if (cli_read_token(path, &token, &e) == 0)
		return verify(in, &token, false);
	if (e.code != ERR_INVALID)
		return outlet_fail(&e);
	snprintf(v.detail, sizeof v.detail, "%.150s", e.text);
	return show_verdict(in, &v);
}

static int
inspect_operand(const char *operand, void *arg)
{
	struct inspection *in = arg;
	scoped(buf_free) struct buf token = {0};
	struct err e;

	in->seen++;
	in->file = inspection_is_file(operand) ? operand : NULL;
	if (in->file != NULL)
		return verify_file(in, operand);
	if (cli_is_token(operand)) {
		buf_adds(&token, operand);
		return verify(in, &token, false);
	}
	if (in->lc != NULL)
		return show_identity(in, operand);
	err_set(&e, ERR_USAGE, "ids need a home: --jwks goes with tokens");
	return outlet_fail(&e);
}

int
inspection_of_operands(const struct verification *how, struct lifecycle *lc,
    int n, char *const *operands, struct outlet *out)
{
	struct inspection in = {
	    .how = how, .lc = lc, .out = out, .many = n > 1};
	scoped(buf_free) struct buf own = {0};
	int status;

	if (n > 0)
		return each_operand(&in, n, operands, inspect_operand);
	if ((status = find_own(&own)) != 0)
		return status;
	return verify(&in, &own, true);
}

/* --- decoding ----------------------------------------------------------- */

static int
decode(struct inspection *in, const struct buf *token)
{
	scoped(free_json) cJSON *record = json_object();
	cJSON *header = NULL, *claims = NULL;
	struct err e;

	if (jwt_decode(buf_str(token), token->len, &header, &claims, &e) < 0)
		return outlet_fail(&e);
	json_add_bool(record, "verified", false);
	json_add(record, "header", header);
	json_add(record, "unverified_claims", claims);
	outlet_show(in->out, record);
	return 0;
}

static int
decode_operand(const char *operand, void *arg)
{
	struct inspection *in = arg;
	scoped(buf_free) struct buf token = {0};
	struct err e;

	in->seen++;
	if (cli_is_token(operand))
		buf_adds(&token, operand);
	else if (cli_read_token(operand, &token, &e) < 0)
		return outlet_fail(&e);
	return decode(in, &token);
}

int
inspection_decode(int n, char *const *operands, struct outlet *out)
{
	struct inspection in = {.out = out};
	scoped(buf_free) struct buf own = {0};
	int status;

	if (n > 0)
		return each_operand(&in, n, operands, decode_operand);
	if ((status = find_own(&own)) != 0)
		return status;
	return decode(&in, &own);
}

/* --- receipts ----------------------------------------------------------- */

/* A pipe such as <(...) is waited for. */
static int
read_receipt(const char *path, cJSON **receipt, struct err *e)
{
	scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	scoped(free_string) char *name = xasprintf("'%s'", path);
	scoped(buf_free) struct buf text = {0};

	if (fd < 0 && errno == ENOENT)
		return err_set(
		    e, ERR_MISSING, "cannot read %s: no such file", name);
	if (fd < 0)
		return err_sys(e, "cannot read %s", name);
	if (io_read_all(fd, RECEIPT_MAX, name, &text, e) < 0)
		return -1;
	if (cli_is_token(buf_str(&text)))
		return err_set(
		    e, ERR_INVALID, "%s: a token, not a receipt", name);
	if (receipt_parse(buf_str(&text), text.len, receipt, e) < 0)
		return err_in(e, "%s", name);
	return 0;
}

static int
receipt_of_id(struct inspection *in, const char *operand, cJSON **receipt,
    struct err *e)
{
	char id[ID_LEN + 1];

	if (cli_is_token(operand))
		return err_set(e, ERR_USAGE,
		    "a token has no receipt; its run has, by its id");
	if (id_parse_suffix(operand, id) < 0 && access(operand, F_OK) == 0)
		return err_set(e, ERR_USAGE,
		    "a file is named with a slash: ./%s", operand);
	if (lifecycle_resolve(in->lc, operand, id, e) < 0)
		return -1;
	return receipt_of(in->lc->ledger, id, in->now, receipt, e);
}

static int
show_receipt(const char *operand, void *arg)
{
	struct inspection *in = arg;
	scoped(free_json) cJSON *receipt = NULL;
	struct err e;

	in->seen++;
	if ((inspection_is_file(operand)
		    ? read_receipt(operand, &receipt, &e)
		    : receipt_of_id(in, operand, &receipt, &e)) < 0)
		return outlet_fail(&e);
	outlet_show(in->out, receipt);
	return receipt_is_over(receipt, in->now) ? 0 : 1;
}

int
inspection_of_receipts(struct lifecycle *lc, int64_t now, int n,
    char *const *operands, struct outlet *out)
{
	struct inspection in = {.lc = lc, .out = out, .now = now};

	return each_operand(&in, n, operands, show_receipt);
}

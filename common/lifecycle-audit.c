#include "config.h"

#include "lifecycle-audit.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static void
add_field(struct buf *line, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	buf_addf(line, " %s=", name);
	/* Bytes over 0x7f stay out too: they may be C1 controls. */
	for (; *value != '\0'; value++)
		buf_addc(line,
		    (*value >= ' ' && *value < 0x7f) ? *value : '?');
}

void
lifecycle_audit(const struct lifecycle *lc, enum event_kind kind,
    const char *id, const char *root, const char *why)
{
	scoped(buf_free) struct buf line = {0};

	if (!lc->settings.policy.audit_syslog)
		return;
	buf_adds(&line, event_name(kind));
	add_field(&line, "id", id);
	add_field(&line, "root", root);
	add_field(&line, "why", why);
	openlog(lc->program, LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "%s", buf_str(&line));
	closelog();
}

void
idlist_add(struct idlist *l, const char *id)
{
	size_t len = strnlen(id, ID_LEN);

	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 16;
		l->ids = xreallocarray(l->ids, l->cap, sizeof *l->ids);
	}
	memcpy(l->ids[l->n], id, len);
	l->ids[l->n++][len] = '\0';
}

void
idlist_free(struct idlist *l)
{
	free(l->ids);
	*l = (struct idlist){0};
}

int
idlist_note(const struct identity *id, void *arg)
{
	idlist_add(arg, id->id);
	return 0;
}

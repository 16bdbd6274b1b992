/*
 * origin - what the surroundings say of where a run comes from.
 *
 * CI systems name their job in the environment (GitHub Actions, GitLab,
 * Buildkite, CircleCI, Jenkins), and OpenTelemetry names a trace
 * (TRACEPARENT).  Anyone can set these, so they are kept in the ledger as
 * asserted and never become claims, ids or decisions.
 */
#ifndef EPHID_ORIGIN_H
#define EPHID_ORIGIN_H

#include <stdint.h>

#include "json.h"

/* {"ci":"github","repository":...,"run_id":...,"trace_id":...}, or NULL when
 * there is nothing. Values are cut at 256 bytes; no value that could be a
 * secret is read. The caller owns it. */
cJSON *origin_read(char *const *envp);

#define TRACEPARENT_LEN 55
/* A traceparent for the run: the trace of `parent' (W3C, version 00; taken
 * as none when NULL or malformed) or a new one, and a span id of its own. */
void origin_traceparent(const char *parent, const uint8_t rnd[static 24],
    char out[static TRACEPARENT_LEN + 1]);

#endif

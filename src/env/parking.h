/* Runtimes that are booted ahead, each in a sandbox of its own, and wait for a function: a cold
 * start then mounts the code and hands over the variables. A parked runtime has seen no function
 * and serves one only, so nothing can pass from one function to another. What user code sees is
 * what an ordinary start shows: functions that ask for more (an exec wrapper, variables that the
 * interpreter reads when it starts) get an ordinary start.
 *
 * Where the launcher and the runtime's client can do it, the first of a kind is a zygote
 * (launch/zygote.h), which forks the others and those that find none parked. It has seen no
 * function either; it is made anew once an hour, as its forks share what its boot has drawn.
 *
 * Kept are runtimes of the kinds that were asked for last, within a budget of memory
 * (setting parked-mb); kinds that nobody asks for any more are let go. */
#ifndef LK_PARKING_H
#define LK_PARKING_H

#include "env/sandbox.h"
#include "env/spec.h"

struct parking;

/* One that was taken: its sandbox and the read ends of its log pipes are the caller's. */
struct parked_runtime {
    struct sandbox *sandbox; /* not assigned yet */
    int fds[2];              /* stdout and stderr, framed log */
};

struct parking *parking_new(uv_loop_t *loop, struct launcher *launcher,
                            const struct env_settings *settings, const struct runtimes *runtimes);
void parking_free(struct parking *parking); /* NULL is fine; before its launcher */

/* A function of this kind starts cold: one is booted for the next. */
void parking_want(struct parking *parking, const struct function *fn);

/* One that is as `spec` wants it. False: none is there. */
bool parking_take(struct parking *parking, const struct sandbox_spec *spec,
                  struct parked_runtime *out);

/* One that forks what `spec` wants; the answer is for spec->zygote. 0: there is none. */
uint64_t parking_zygote(struct parking *parking, const struct sandbox_spec *spec);

/* How it went, as STARTED tells it; 0 is fine. One that does not answer is ended, so that no other
 * start waits for it, and one whose forks fail again and again, as it is of no use. */
void parking_forked(struct parking *parking, uint64_t zygote, const struct control_event *started);

struct parking_stats {
    size_t runtimes; /* sandboxes in use */
    size_t waiting;  /* of them, others boot yet or fork */
    uint64_t bytes;  /* of memory, as far as it is known */
};
struct parking_stats parking_stats(const struct parking *parking);

#endif

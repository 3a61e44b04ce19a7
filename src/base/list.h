/* A doubly linked list inside the structs that it links. The head is a link of its own. */
#ifndef LK_LIST_H
#define LK_LIST_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push_back(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_push_front(struct list *head, struct list *link)
{
    list_push_back(head->next, link);
}

/* Takes the link out and leaves it a list of its own, so removing twice is harmless. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

#define LIST_ITEM(link, type, member)                                                              \
    ((struct type *)(void *)((char *)(link)-offsetof(struct type, member)))

/* First / last struct of a list that is not empty. */
#define LIST_FIRST(head, type, member) LIST_ITEM((head)->next, type, member)
#define LIST_LAST(head, type, member) LIST_ITEM((head)->prev, type, member)

/* `link` may be removed inside the loop. */
#define LIST_EACH(link, head)                                                                      \
    for (struct list *link = (head)->next, *link##_next_ = link->next; link != (head);             \
         link = link##_next_, link##_next_ = link->next)

#endif

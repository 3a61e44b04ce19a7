#include "model/trust.h"

#include <jansson.h>

/* A string, or one of a list of them. */
static bool says(const json_t *value, struct slice wanted)
{
    size_t i = 0;
    json_t *item = NULL;
    if (json_is_string(value))
        return slice_eq(slice_str(json_string_value(value)), wanted) ||
               slice_eq(slice_str(json_string_value(value)), S("*"));
    json_array_foreach(value, i, item)
    {
        if (says(item, wanted))
            return true;
    }
    return false;
}

static bool applies(const json_t *statement, struct slice service)
{
    const json_t *action = json_object_get(statement, "Action");
    const json_t *principal = json_object_get(statement, "Principal");
    const json_t *services =
        json_is_object(principal) ? json_object_get(principal, "Service") : principal;
    return (says(action, S("sts:AssumeRole")) || says(action, S("sts:*"))) &&
           says(services, service);
}

bool trust_allows_service(struct slice document, struct slice service)
{
    json_t *json = json_loadb(document.p, document.n, 0, NULL);
    json_t *statements = json_object_get(json, "Statement");
    json_t *one = NULL;
    size_t i = 0;
    bool allowed = false;
    bool denied = false;
    json_t *list =
        json_is_array(statements) ? json_incref(statements) : json_pack("[O]", statements);
    json_array_foreach(list, i, one)
    {
        const char *effect = json_string_value(json_object_get(one, "Effect"));
        if (!effect || !applies(one, service))
            continue;
        denied |= slice_eq(slice_str(effect), S("Deny"));
        allowed |= slice_eq(slice_str(effect), S("Allow"));
    }
    json_decref(list);
    json_decref(json);
    return allowed && !denied;
}

/* What Lambda says is wrong with a request about event source mappings (events.md section 1.4, in
 * its order). There are no mappings yet: what is right is "not implemented", and every UUID is
 * unknown. */
#include "api/internal.h"

#include "codec/json_check.h"

enum source { SOURCE_NONE, SOURCE_SQS, SOURCE_KINESIS, SOURCE_DYNAMODB, SOURCE_OTHER };

static enum source source_of(const struct lambda_CreateEventSourceMappingRequest *input)
{
    static const struct {
        struct slice service;
        enum source source;
    } known[] = {
        {S_INIT("sqs"), SOURCE_SQS},     {S_INIT("kinesis"), SOURCE_KINESIS},
        {S_INIT("mq"), SOURCE_OTHER},    {S_INIT("dynamodb"), SOURCE_DYNAMODB},
        {S_INIT("kafka"), SOURCE_OTHER}, {S_INIT("kafka-cluster"), SOURCE_OTHER},
        {S_INIT("rds"), SOURCE_OTHER},
    };
    struct slice rest = input->EventSourceArn;
    struct slice part = {NULL, 0};
    if (input->SelfManagedEventSource)
        return SOURCE_OTHER;
    for (size_t i = 0; i < 3; i++) /* arn:aws:SERVICE:... */
        slice_cut(&rest, ':', &part);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_eq(part, known[i].service))
            return known[i].source;
    }
    return SOURCE_NONE;
}

static bool refuse(struct call *call, const char *message)
{
    call_fail(call, "InvalidParameterValueException", "%s", message);
    return false;
}

static bool position_is_good(struct call *call, enum source source,
                             const struct lambda_CreateEventSourceMappingRequest *input)
{
    bool stream = source == SOURCE_KINESIS || source == SOURCE_DYNAMODB;
    if (stream && !input->StartingPosition.p)
        return refuse(call, "1 validation error detected: Value null at 'startingPosition' failed "
                            "to satisfy constraint: Member must not be null.");
    if (source == SOURCE_SQS && input->StartingPosition.p)
        return refuse(call, "StartingPosition is not valid for SQS event sources.");
    if (source == SOURCE_DYNAMODB && slice_eq(input->StartingPosition, S("AT_TIMESTAMP"))) {
        call_fail(call, "InvalidParameterValueException",
                  "Unsupported starting position for arn type: %.*s", FMT(input->EventSourceArn));
        return false;
    }
    return true;
}

/* What a pattern may say is checked where patterns are matched. */
static bool filters_are_objects(const struct lambda_FilterCriteria *criteria)
{
    for (size_t i = 0; criteria && i < criteria->Filters.n; i++) {
        const struct lambda_Filter *filter =
            *AWS_ITEM(criteria->Filters, const struct lambda_Filter *, i);
        struct slice pattern = slice_trim(filter->Pattern);
        struct json_fault fault;
        if (!slice_starts(pattern, S("{")) || !json_check(pattern, &fault))
            return false;
    }
    return true;
}

static bool check_create(struct call *call)
{
    const struct lambda_CreateEventSourceMappingRequest *input = call->input;
    enum source source = source_of(input);
    bool long_batch = input->BatchSize.set && input->BatchSize.v > 10;
    struct target target;
    if (input->DestinationConfig && input->DestinationConfig->OnSuccess)
        return refuse(call,
                      "Unsupported DestinationConfig parameter for given event source mapping "
                      "type.");
    if (input->SelfManagedEventSource && !input->SourceAccessConfigurations.n)
        return refuse(call, "Required 'sourceAccessConfigurations' parameter is missing.");
    if (source == SOURCE_NONE)
        return refuse(call, "Unrecognized event source.");
    if (!position_is_good(call, source, input))
        return false;
    if (source == SOURCE_SQS && long_batch && !input->MaximumBatchingWindowInSeconds.v)
        return refuse(call, "Maximum batch window in seconds must be greater than 0 if maximum "
                            "batch size is greater than 10");
    if (!filters_are_objects(input->FilterCriteria))
        return refuse(call, "Invalid filter pattern definition.");
    if (!api_target(call, input->FunctionName, (struct slice){NULL, 0}, &target))
        return false;
    return api_lookup(call, &target) || refuse(call, "Function does not exist");
}

static bool check_uuid(struct call *call)
{
    call_fail(call, "ResourceNotFoundException", "The resource you requested does not exist.");
    return false;
}

void api_register_mappings(struct front *front, struct api_context *api)
{
    front_check(front, &lambda_op_CreateEventSourceMapping, check_create, api);
    front_check(front, &lambda_op_GetEventSourceMapping, check_uuid, api);
    front_check(front, &lambda_op_UpdateEventSourceMapping, check_uuid, api);
    front_check(front, &lambda_op_DeleteEventSourceMapping, check_uuid, api);
}

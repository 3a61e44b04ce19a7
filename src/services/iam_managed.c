/* The managed policies of AWS that functions' roles have attached (events.md 4.6). */
#include "services/iam.h"

#define ACTIONS_BEGIN                                                                              \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":["
#define ACTIONS_END "],\"Resource\":\"*\"}]}"
#define LOGS "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\""

struct managed {
    struct iam_ManagedPolicy policy;
    struct iam_Policy row;
    struct iam_PolicyVersion version;
    void *versions[1];
};

#define MANAGED(variable, title, id, path, number, created, updated, about, document)              \
    static struct managed variable = {                                                             \
        .policy = {&variable.row, {true, 1, variable.versions}, {true, number}},                   \
        .row = {.PolicyName = S_INIT(title),                                                       \
                .PolicyId = S_INIT(id),                                                            \
                .Arn = S_INIT("arn:aws:iam::aws:policy" path title),                               \
                .Path = S_INIT(path),                                                              \
                .DefaultVersionId = S_INIT("v" #number),                                           \
                .IsAttachable = {true, true},                                                      \
                .Description = S_INIT(about),                                                      \
                .CreateDate = {true, created},                                                     \
                .UpdateDate = {true, updated}},                                                    \
        .version = {S_INIT(document), S_INIT("v" #number), {true, true}, {true, updated}},         \
        .versions = {&variable.version}}

MANAGED(basic, "AWSLambdaBasicExecutionRole", "ANPAJNCQGXC42545SKXIK", "/service-role/", 1,
        1428591823, 1428591823, "Provides write permissions to CloudWatch Logs.",
        ACTIONS_BEGIN LOGS ACTIONS_END);
MANAGED(dynamodb, "AWSLambdaDynamoDBExecutionRole", "ANPAIP7WNAGMIPYNW4WQG", "/service-role/", 1,
        1428592169, 1428592169,
        "Provides list and read access to DynamoDB streams and write permissions to CloudWatch "
        "Logs.",
        ACTIONS_BEGIN "\"dynamodb:DescribeStream\",\"dynamodb:GetRecords\","
                      "\"dynamodb:GetShardIterator\",\"dynamodb:ListStreams\"," LOGS ACTIONS_END);
MANAGED(kinesis, "AWSLambdaKinesisExecutionRole", "ANPAJHOLKJPXV4GBRMJUQ", "/service-role/", 2,
        1428592456, 1542658164,
        "Provides list and read access to Kinesis streams and write permissions to CloudWatch "
        "Logs.",
        ACTIONS_BEGIN "\"kinesis:DescribeStream\",\"kinesis:DescribeStreamSummary\","
                      "\"kinesis:GetRecords\",\"kinesis:GetShardIterator\","
                      "\"kinesis:ListShards\",\"kinesis:ListStreams\","
                      "\"kinesis:SubscribeToShard\"," LOGS ACTIONS_END);
MANAGED(sqs, "AWSLambdaSQSQueueExecutionRole", "ANPAJFWJZI6JNND4TSELK", "/service-role/", 1,
        1529013045, 1529013045,
        "Provides receive message, delete message, and read attribute access to SQS queues, and "
        "write permissions to CloudWatch logs.",
        ACTIONS_BEGIN "\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\","
                      "\"sqs:GetQueueAttributes\"," LOGS ACTIONS_END);
MANAGED(vpc, "AWSLambdaVPCAccessExecutionRole", "ANPAJVTME3YLVNL72YR2K", "/service-role/", 3,
        1455232526, 1704494306,
        "Provides minimum permissions for a Lambda function to execute while accessing a resource "
        "within a VPC - create, describe, delete network interfaces and write permissions to "
        "CloudWatch Logs.",
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":"
        "\"AWSLambdaVPCAccessExecutionPermissions\",\"Effect\":\"Allow\",\"Action\":[" LOGS
        ",\"ec2:CreateNetworkInterface\",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\","
        "\"ec2:DeleteNetworkInterface\",\"ec2:AssignPrivateIpAddresses\","
        "\"ec2:UnassignPrivateIpAddresses\"" ACTIONS_END);
MANAGED(invoke, "AWSLambdaRole", "ANPAJX4DPCRGTC4NFDUXI", "/service-role/", 1, 1423248088,
        1423248088, "Default policy for AWS Lambda service role.",
        ACTIONS_BEGIN "\"lambda:InvokeFunction\"" ACTIONS_END);

const struct iam_ManagedPolicy *const *iam_aws_policies(size_t *out_count)
{
    static const struct iam_ManagedPolicy *const all[] = {
        &basic.policy, &dynamodb.policy, &kinesis.policy, &invoke.policy, &sqs.policy, &vpc.policy};
    *out_count = COUNT_OF(all);
    return all;
}

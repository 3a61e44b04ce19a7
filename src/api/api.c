#include "api/api.h"

#include "api/internal.h"
#include "model/code.h"

static const struct {
    const struct aws_operation *op;
    call_handler *handler;
} handlers[] = {
    {&lambda_op_CreateFunction, api_create_function},
    {&lambda_op_GetFunction, api_get_function},
    {&lambda_op_GetFunctionConfiguration, api_get_function_configuration},
    {&lambda_op_ListFunctions, api_list_functions},
    {&lambda_op_UpdateFunctionCode, api_update_function_code},
    {&lambda_op_UpdateFunctionConfiguration, api_update_function_configuration},
    {&lambda_op_DeleteFunction, api_delete_function},
    {&lambda_op_GetAccountSettings, api_get_account_settings},
    {&lambda_op_PublishVersion, api_publish_version},
    {&lambda_op_ListVersionsByFunction, api_list_versions},
    {&lambda_op_CreateAlias, api_create_alias},
    {&lambda_op_UpdateAlias, api_update_alias},
    {&lambda_op_GetAlias, api_get_alias},
    {&lambda_op_ListAliases, api_list_aliases},
    {&lambda_op_DeleteAlias, api_delete_alias},
    {&lambda_op_AddPermission, api_add_permission},
    {&lambda_op_GetPolicy, api_get_policy},
    {&lambda_op_RemovePermission, api_remove_permission},
    {&lambda_op_PutFunctionConcurrency, api_put_concurrency},
    {&lambda_op_GetFunctionConcurrency, api_get_concurrency},
    {&lambda_op_DeleteFunctionConcurrency, api_delete_concurrency},
    {&lambda_op_PutProvisionedConcurrencyConfig, api_put_provisioned},
    {&lambda_op_GetProvisionedConcurrencyConfig, api_get_provisioned},
    {&lambda_op_ListProvisionedConcurrencyConfigs, api_list_provisioned},
    {&lambda_op_DeleteProvisionedConcurrencyConfig, api_delete_provisioned},
    {&lambda_op_TagResource, api_tag_resource},
    {&lambda_op_UntagResource, api_untag_resource},
    {&lambda_op_ListTags, api_list_tags},
    {&lambda_op_CreateFunctionUrlConfig, api_create_url},
    {&lambda_op_UpdateFunctionUrlConfig, api_update_url},
    {&lambda_op_GetFunctionUrlConfig, api_get_url},
    {&lambda_op_DeleteFunctionUrlConfig, api_delete_url},
    {&lambda_op_ListFunctionUrlConfigs, api_list_urls},
    {&lambda_op_PutFunctionEventInvokeConfig, api_put_event_invoke},
    {&lambda_op_UpdateFunctionEventInvokeConfig, api_update_event_invoke},
    {&lambda_op_GetFunctionEventInvokeConfig, api_get_event_invoke},
    {&lambda_op_DeleteFunctionEventInvokeConfig, api_delete_event_invoke},
    {&lambda_op_ListFunctionEventInvokeConfigs, api_list_event_invoke},
    {&lambda_op_CreateCodeSigningConfig, api_create_signing},
    {&lambda_op_UpdateCodeSigningConfig, api_update_signing},
    {&lambda_op_GetCodeSigningConfig, api_get_signing},
    {&lambda_op_ListCodeSigningConfigs, api_list_signing},
    {&lambda_op_DeleteCodeSigningConfig, api_delete_signing},
    {&lambda_op_ListFunctionsByCodeSigningConfig, api_list_functions_by_signing},
    {&lambda_op_PutFunctionCodeSigningConfig, api_put_function_signing},
    {&lambda_op_GetFunctionCodeSigningConfig, api_get_function_signing},
    {&lambda_op_DeleteFunctionCodeSigningConfig, api_delete_function_signing},
    {&lambda_op_PutFunctionRecursionConfig, api_put_recursion},
    {&lambda_op_GetFunctionRecursionConfig, api_get_recursion},
    {&lambda_op_PutRuntimeManagementConfig, api_put_management},
    {&lambda_op_GetRuntimeManagementConfig, api_get_management},
    {&lambda_op_PutFunctionScalingConfig, api_put_scaling},
    {&lambda_op_GetFunctionScalingConfig, api_get_scaling},
    {&lambda_op_PublishLayerVersion, api_publish_layer},
    {&lambda_op_GetLayerVersion, api_get_layer},
    {&lambda_op_GetLayerVersionByArn, api_get_layer_by_arn},
    {&lambda_op_ListLayers, api_list_layers},
    {&lambda_op_ListLayerVersions, api_list_layer_versions},
    {&lambda_op_DeleteLayerVersion, api_delete_layer},
    {&lambda_op_AddLayerVersionPermission, api_add_layer_permission},
    {&lambda_op_GetLayerVersionPolicy, api_get_layer_policy},
    {&lambda_op_RemoveLayerVersionPermission, api_remove_layer_permission},
};

void api_register(struct front *front, struct api_context *api)
{
    for (size_t i = 0; i < COUNT_OF(handlers); i++)
        front_handle(front, handlers[i].op, handlers[i].handler, api);
    api_register_download(front, api);
    api_register_urls(front, api);
    api_register_mappings(front, api);
    api_align_code(api);
    api_align_provisioned(api);
}

void api_stop(struct api_context *api)
{
    functions_unlisten(api->functions);
    tables_unlisten(functions_resources(api->functions)->tables);
    codes_on_unused(functions_codes(api->functions), NULL, NULL);
    blobs_stop(api->blobs);
}

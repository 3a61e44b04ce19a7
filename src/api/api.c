#include "api/api.h"

#include "api/internal.h"
#include "model/code.h"

void api_register(struct front *front, struct api_context *api)
{
    front_handle(front, &lambda_op_CreateFunction, api_create_function, api);
    front_handle(front, &lambda_op_GetFunction, api_get_function, api);
    front_handle(front, &lambda_op_GetFunctionConfiguration, api_get_function_configuration, api);
    front_handle(front, &lambda_op_ListFunctions, api_list_functions, api);
    front_handle(front, &lambda_op_UpdateFunctionCode, api_update_function_code, api);
    front_handle(front, &lambda_op_UpdateFunctionConfiguration, api_update_function_configuration,
                 api);
    front_handle(front, &lambda_op_DeleteFunction, api_delete_function, api);
    front_handle(front, &lambda_op_GetAccountSettings, api_get_account_settings, api);
    front_handle(front, &lambda_op_PublishVersion, api_publish_version, api);
    front_handle(front, &lambda_op_ListVersionsByFunction, api_list_versions, api);
    front_handle(front, &lambda_op_CreateAlias, api_create_alias, api);
    front_handle(front, &lambda_op_UpdateAlias, api_update_alias, api);
    front_handle(front, &lambda_op_GetAlias, api_get_alias, api);
    front_handle(front, &lambda_op_ListAliases, api_list_aliases, api);
    front_handle(front, &lambda_op_DeleteAlias, api_delete_alias, api);
    api_register_download(front, api);
    api_align_code(api);
}

void api_stop(struct api_context *api)
{
    functions_unlisten(api->functions);
    codes_on_unused(functions_codes(api->functions), NULL, NULL);
    blobs_stop(api->blobs);
}

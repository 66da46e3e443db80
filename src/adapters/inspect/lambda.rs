//! Lambda functions.

use aws_sdk_lambda::types::VpcConfigResponse;

use super::{Inspect, number, text};
use repoint_domain::doctor::facts::function::{Function, FunctionConfiguration};
use repoint_domain::observed::Read;
use repoint_domain::values::failure::Kind;
use repoint_domain::values::function::FunctionName;

const CONFIGURATION: &str = "lambda:GetFunctionConfiguration";
const CONCURRENCY: &str = "lambda:GetFunctionConcurrency";
const EVENT_INVOKE: &str = "lambda:GetFunctionEventInvokeConfig";

impl Inspect {
    /// A function. Its configuration is that of the named alias or version; the reserved concurrency is the function's.
    pub async fn function(&self, name: &FunctionName) -> Function {
        let (configuration, reserved_concurrency, on_failure) = tokio::join!(
            self.function_configuration(name),
            self.reserved_concurrency(name),
            self.failure_destination(name)
        );
        let (configuration, dead_letters) = configuration.map_or_else(
            |failure| (Err(failure), None),
            |(configuration, dead_letters)| (Ok(configuration), dead_letters),
        );
        Function {
            configuration,
            reserved_concurrency,
            on_failure: on_failure.map(|destination| destination.or(dead_letters)),
        }
    }

    /// The configuration, and the dead-letter queue or topic.
    async fn function_configuration(
        &self,
        name: &FunctionName,
    ) -> Read<(FunctionConfiguration, Option<String>)> {
        let request = self
            .lambda
            .get_function_configuration()
            .function_name(name.unqualified())
            .set_qualifier(name.qualifier().map(str::to_owned));
        let answer = send!(self, self.settings_key(), CONFIGURATION, name.as_str(), request)?;
        let vpc = answer.vpc_config();
        let ids =
            |ids: fn(&VpcConfigResponse) -> &[String]| vpc.map(|vpc| ids(vpc).to_vec()).unwrap_or_default();
        let configuration = FunctionConfiguration {
            arn: text(answer.function_arn()),
            timeout_seconds: number(answer.timeout()),
            memory_mb: number(answer.memory_size()),
            state: text(answer.state().map(|state| state.as_str())),
            last_update: text(answer.last_update_status().map(|status| status.as_str())),
            vpc: vpc.and_then(VpcConfigResponse::vpc_id).filter(|id| !id.is_empty()).map(str::to_owned),
            subnets: ids(VpcConfigResponse::subnet_ids),
            security_groups: ids(VpcConfigResponse::security_group_ids),
        };
        let dead_letters = answer.dead_letter_config().and_then(|config| config.target_arn());
        Ok((configuration, dead_letters.filter(|arn| !arn.is_empty()).map(str::to_owned)))
    }

    async fn reserved_concurrency(&self, name: &FunctionName) -> Read<Option<u32>> {
        let request = self.lambda.get_function_concurrency().function_name(name.unqualified());
        let answer = send!(self, self.settings_key(), CONCURRENCY, name.as_str(), request)?;
        Ok(answer.reserved_concurrent_executions().and_then(|number| u32::try_from(number).ok()))
    }

    /// Where a failed asynchronous invocation goes; a function without such a setting is no failure.
    async fn failure_destination(&self, name: &FunctionName) -> Read<Option<String>> {
        let request = self
            .lambda
            .get_function_event_invoke_config()
            .function_name(name.unqualified())
            .set_qualifier(name.qualifier().map(str::to_owned));
        match send!(self, self.settings_key(), EVENT_INVOKE, name.as_str(), request) {
            Ok(answer) => {
                let on_failure = answer.destination_config().and_then(|config| config.on_failure());
                Ok(on_failure.and_then(|on_failure| on_failure.destination()).map(str::to_owned))
            }
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

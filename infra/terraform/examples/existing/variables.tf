variable "region" {
  description = "Region of the clusters."
  type        = string
  default     = "us-east-1"
}

variable "zip" {
  description = "Path of the function's zip: `cargo lambda build --release --output-format zip --package repoint-lambda`."
  type        = string
  default     = "../../../../target/lambda/bootstrap/bootstrap.zip"
}

variable "architecture" {
  description = "Architecture that the zip was built for."
  type        = string
  default     = "x86_64"
}

variable "bundle_file" {
  description = "Output of `repoint bundle`."
  type        = string
  default     = "bundle.json"
}

variable "alert_topic_arn" {
  description = "ARN of the existing alert topic."
  type        = string
}

variable "vpc_id" {
  description = "Id of the database nodes' VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Ids of private subnets with a route to AWS."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Id of the database nodes' security group."
  type        = string
}

variable "triggers_enabled" {
  description = "With `false` everything is created, and nothing calls the function."
  type        = bool
  default     = true
}

variable "function_version" {
  description = "The version to call; null means the newest."
  type        = string
  default     = null
}

variable "table_deletion_protection" {
  description = "With `false` the tables, and the state in them, can be deleted."
  type        = bool
  default     = true
}

variable "second_region" {
  description = "The same for the clusters of another Region; without `region` there is none."
  type = object({
    region              = optional(string)
    bundle_file         = optional(string)
    vpc_id              = optional(string)
    subnet_ids          = optional(list(string), [])
    patroni_cidr_blocks = optional(list(string), [])
  })
  default = {}
}

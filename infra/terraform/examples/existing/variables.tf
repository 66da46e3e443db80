variable "region" {
  description = "Where the clusters are."
  type        = string
  default     = "us-east-1"
}

variable "zip" {
  description = "The function's zip: `cargo lambda build --release --output-format zip --package repoint-lambda`."
  type        = string
  default     = "../../../../target/lambda/bootstrap/bootstrap.zip"
}

variable "architecture" {
  description = "What the zip was built for."
  type        = string
  default     = "x86_64"
}

variable "bundle_file" {
  description = "What `repoint bundle` says of the configuration."
  type        = string
  default     = "bundle.json"
}

variable "alert_topic_arn" {
  description = "The topic that the people on call read."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the database nodes."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with a way to AWS."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "The security group of the database nodes."
  type        = string
}

variable "triggers_enabled" {
  description = "With `false` everything is made and nothing calls the function."
  type        = bool
  default     = true
}

variable "function_version" {
  description = "The version that is called; null for the newest."
  type        = string
  default     = null
}

variable "table_deletion_protection" {
  description = "With `false` the tables, and the state in them, can be deleted: for taking it out."
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

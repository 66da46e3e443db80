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

variable "configuration_zip" {
  description = "A zip with `repoint.toml`, of which the bundle was made: `zip layer.zip repoint.toml`."
  type        = string
  default     = "layer.zip"
}

variable "keep_configurations" {
  description = "Whether earlier configurations are kept, so that the function can go back to them."
  type        = bool
  default     = true
}

variable "prefix" {
  description = "How the names of all clusters and of their endpoints begin."
  type        = string
  default     = "pg-"
}

variable "clusters_per_shard" {
  description = "How many clusters a shard has at most; null means as many as AWS's limits allow."
  type        = number
  default     = null
}

variable "round_minutes_at_most" {
  description = "How many minutes may pass until every cluster has been checked again."
  type        = number
  default     = 60
}

variable "vpc_id" {
  description = "Id of a VPC that reaches the database nodes."
  type        = string
}

variable "subnet_ids" {
  description = "Ids of private subnets with a route to AWS."
  type        = list(string)
}

variable "patroni_cidr_blocks" {
  description = "Addresses of the database nodes."
  type        = list(string)
}

variable "triggers_enabled" {
  description = "With `false` everything is created, and nothing calls the function."
  type        = bool
  default     = true
}

variable "table_deletion_protection" {
  description = "With `false` the table, and the state in it, can be deleted."
  type        = bool
  default     = true
}

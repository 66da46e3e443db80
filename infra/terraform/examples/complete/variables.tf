variable "region" {
  description = "Region to create everything in."
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

variable "members" {
  description = "URLs of Patroni's members, instead of those in the configuration."
  type        = list(string)
  default     = ["http://10.90.0.11:8008", "http://10.90.1.11:8008"]
}

variable "deletion_protection" {
  description = "Protects the load balancer and the state table. Apply it with `false` before `terraform destroy`."
  type        = bool
  default     = true
}

variable "triggers_enabled" {
  description = "With `false` everything is created, and nothing calls the function."
  type        = bool
  default     = true
}

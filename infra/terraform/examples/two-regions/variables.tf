variable "first" {
  description = "One Region: its network, the members in it with their addresses by their names in Patroni, and the image of its HAProxies."
  type = object({
    region     = optional(string, "us-east-1")
    cidr_block = optional(string, "10.90.0.0/16")
    members    = map(string)
    image_id   = string
  })
}

variable "second" {
  description = "The other Region, whose network has other addresses."
  type = object({
    region     = optional(string, "us-west-2")
    cidr_block = optional(string, "10.91.0.0/16")
    members    = map(string)
    image_id   = string
  })
}

variable "package" {
  description = "The Debian package that the HAProxies install, which needs a way to the internet; null if the images have everything."
  type        = object({ url = string, sha256 = string })
  default     = null
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

variable "deletion_protection" {
  description = "Protects the load balancers and the state tables. Apply it with `false` before `terraform destroy`."
  type        = bool
  default     = true
}

variable "triggers_enabled" {
  description = "With `false` everything is created, and nothing calls the functions."
  type        = bool
  default     = true
}

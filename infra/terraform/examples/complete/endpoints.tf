# The endpoints that repoint keeps pointing at the primary: a target group and a record.

resource "aws_lb" "this" {
  name                             = "repoint-example"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = aws_subnet.private[*].id
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

module "writer" {
  source = "../../target-group"

  name   = "repoint-example-writer"
  vpc_id = aws_vpc.this.id
}

resource "aws_lb_listener" "writer" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "TCP"
  port              = 5432

  default_action {
    type             = "forward"
    target_group_arn = module.writer.arn
  }
}

resource "aws_route53_zone" "this" {
  name    = "db.example.internal"
  comment = "Example of repoint"

  # repoint manages the primary's record, so Terraform does not know it: without this, destroying would fail here.
  force_destroy = true

  vpc {
    vpc_id = aws_vpc.this.id
  }
}

# Through the load balancer; `primary.db.example.internal`, which repoint manages, points to the primary itself.
resource "aws_route53_record" "writer" {
  zone_id = aws_route53_zone.this.zone_id
  name    = "writer"
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = false
  }
}

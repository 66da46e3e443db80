# The Region's load balancer: HAProxy on the ports 5000 and 5001, and the primary without it on 5432.

resource "aws_lb" "this" {
  name                             = "repoint-example"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = aws_subnet.private[*].id
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

# Every member is registered, those of the other Region by their addresses, and Patroni's check chooses the primary.
module "writer" {
  source = "../../../target-group"

  name     = "repoint-example-writer"
  vpc_id   = aws_vpc.this.id
  strategy = "warm"
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

module "haproxy" {
  source = "../../../haproxy"

  name                            = "repoint-example-haproxy"
  scope                           = local.bundle.scopes[0]
  members                         = var.members
  remote_members                  = var.remote_members
  vpc_id                          = aws_vpc.this.id
  subnet_ids                      = aws_subnet.private[*].id
  load_balancer_arn               = aws_lb.this.arn
  load_balancer_security_group_id = aws_security_group.balancer.id
  member_cidr_blocks              = [var.cidr_block, var.other_block]
  image_id                        = var.image_id
  package                         = var.package
}

# What the name's health check follows: no HAProxy of this Region has a primary. A Region that is lost has no data at all.
resource "aws_cloudwatch_metric_alarm" "writer" {
  alarm_name          = "repoint-example-writer"
  alarm_description   = "No HAProxy of this Region has a primary: `writer.db.example.internal` leads to the other Region, if that has one."
  namespace           = "AWS/NetworkELB"
  metric_name         = "HealthyHostCount"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [module.repoint.alert_topic_arn]
  ok_actions          = [module.repoint.alert_topic_arn]

  dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = module.haproxy.target_groups["writer"].arn_suffix
  }
}

resource "aws_security_group" "balancer" {
  name        = "repoint-example-balancer"
  description = "Clients of PostgreSQL"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "repoint-example-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = {
    for it in setproduct(["5000", "5001", "5432"], [var.cidr_block, var.other_block]) : "${it[0]} from ${it[1]}" =>
    { port = tonumber(it[0]), block = it[1] }
  }

  security_group_id = aws_security_group.balancer.id
  description       = "Clients: ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

# Connections and health checks, without HAProxy between.
resource "aws_vpc_security_group_egress_rule" "members" {
  for_each = {
    for it in setproduct(keys(local.database_ports), [var.cidr_block, var.other_block]) : "${it[0]} in ${it[1]}" =>
    { port = local.database_ports[it[0]], block = it[1] }
  }

  security_group_id = aws_security_group.balancer.id
  description       = "Members: ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

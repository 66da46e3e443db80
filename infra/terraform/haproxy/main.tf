# HAProxy on two instances behind a Region's Network Load Balancer, with `repoint watch` beside each.

locals {
  check_port = 8405

  # The paths that the load balancer asks for, and the ports that clients connect to.
  sides = {
    writer = { port = var.writer_port, role = "primary" }
    reader = { port = var.reader_port, role = "replicas" }
  }
}

resource "aws_autoscaling_group" "this" {
  name                = var.name
  min_size            = var.instances
  max_size            = var.instances
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = values(aws_lb_target_group.this)[*].arn

  # Not the load balancer's check: it fails while the cluster has no primary, and new instances would not make one.
  health_check_type = "EC2"

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  # A changed configuration replaces one instance after the other.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 50
      # cloud-init installs meanwhile.
      instance_warmup = 300
    }
  }

  dynamic "tag" {
    for_each = merge({ Name = var.name }, var.tags)
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

resource "aws_launch_template" "this" {
  name                   = var.name
  image_id               = var.image_id
  instance_type          = var.instance_type
  vpc_security_group_ids = [aws_security_group.this.id]
  user_data              = base64encode(local.user_data)
  tags                   = var.tags

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  # Only with an alert topic: without one nothing on the instance calls AWS.
  dynamic "iam_instance_profile" {
    for_each = aws_iam_instance_profile.this
    content {
      arn = iam_instance_profile.value.arn
    }
  }

  lifecycle {
    precondition {
      condition     = length(setsubtract(var.remote_members, keys(var.members))) == 0
      error_message = "`remote_members` has names that `members` does not have: ${join(", ", setsubtract(var.remote_members, keys(var.members)))}."
    }
    precondition {
      condition     = length(local.user_data) <= 16384
      error_message = "The instances' user data has ${length(local.user_data)} bytes, but EC2's limit is 16384. List fewer `members`: two are enough, and `repoint` adds the others."
    }
  }
}

resource "aws_lb_target_group" "this" {
  for_each = local.sides

  name        = "${var.name}-${each.key}"
  vpc_id      = var.vpc_id
  target_type = "instance"
  protocol    = "TCP"
  port        = each.value.port
  tags        = var.tags

  # Passes if HAProxy lives and has a server that is up: for writers, a primary.
  health_check {
    protocol            = "HTTP"
    port                = tostring(local.check_port)
    path                = "/${each.key}"
    matcher             = "200"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  # How long sessions may continue on an instance that is being replaced.
  deregistration_delay   = 60
  connection_termination = true

  # One of the two may be the only one that reaches the primary.
  load_balancing_cross_zone_enabled = "true"

  # PostgreSQL sees HAProxy's address in any case; and with it an instance could not use the load balancer itself.
  preserve_client_ip = "false"
}

resource "aws_lb_listener" "this" {
  for_each = local.sides

  load_balancer_arn = var.load_balancer_arn
  protocol          = "TCP"
  port              = each.value.port
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}

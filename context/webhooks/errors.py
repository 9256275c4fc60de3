"""What can be wrong with a webhook. REST shows `code` and the message, the state is as it was before."""

from context.errors import ContextError


class WebhookError(ContextError):
    """Base of the errors of webhooks."""

    code = "webhook_failed"


class DestinationRefusedError(WebhookError):
    """The address of an endpoint is none that Parley may send to."""

    code = "webhook_destination_refused"


class UnknownTypeError(WebhookError):
    """A pattern of event types is not one."""

    code = "webhook_type_pattern"


class EndpointLimitError(WebhookError):
    """The tenant has as many endpoints as it may have."""

    code = "webhook_limit"


class EndpointNotFoundError(WebhookError):
    """This tenant has no such endpoint."""

    code = "webhook_not_found"


class DeliveryNotFoundError(WebhookError):
    """This tenant has no such delivery."""

    code = "webhook_delivery_not_found"


class EndpointStateError(WebhookError):
    """The endpoint cannot go from its state to the one asked for, or changed meanwhile."""

    code = "webhook_state"


class EventGoneError(WebhookError):
    """The event is past its retention: there is nothing left to send."""

    code = "webhook_event_gone"


class SignatureRefusedError(WebhookError):
    """A received webhook is not from Parley, not for this receiver, changed, or too old."""

    code = "webhook_signature_refused"

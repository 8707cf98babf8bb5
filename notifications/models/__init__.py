"""Knows people only as AUTH_USER_MODEL and is handed finished words; a file a direction."""

from notifications.models.addresses import NUMBER_KEPT as NUMBER_KEPT
from notifications.models.addresses import Address as Address
from notifications.models.addresses import Channel as Channel
from notifications.models.addresses import Device as Device
from notifications.models.addresses import Preference as Preference
from notifications.models.addresses import StopRecord as StopRecord
from notifications.models.incoming import HELD_REMINDED_AFTER as HELD_REMINDED_AFTER
from notifications.models.incoming import InboundMessage as InboundMessage
from notifications.models.incoming import ItemCode as ItemCode
from notifications.models.incoming import WebhookCall as WebhookCall
from notifications.models.incoming import _reply_key as _reply_key  # a migration names it here
from notifications.models.outgoing import ChannelTrouble as ChannelTrouble
from notifications.models.outgoing import Delivery as Delivery
from notifications.models.outgoing import DeliveryEvent as DeliveryEvent
from notifications.models.outgoing import Notification as Notification
from notifications.models.outgoing import SmsSpending as SmsSpending

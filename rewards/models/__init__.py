"""The tables of rewards, by duty."""

from rewards.models.books import FUNDING, ISSUED, LAPSED, SPENT, Account, Counter, Hold, Transfer
from rewards.models.catalogue import Campaign, Offer, Shop, ShopKey
from rewards.models.earning import Allowance, EarningRule, Fact, PendingGift
from rewards.models.gifts import Gift, LateConflict, Redemption

__all__ = [
    "FUNDING",
    "ISSUED",
    "LAPSED",
    "SPENT",
    "Account",
    "Allowance",
    "Campaign",
    "Counter",
    "EarningRule",
    "Fact",
    "Gift",
    "Hold",
    "LateConflict",
    "Offer",
    "PendingGift",
    "Redemption",
    "Shop",
    "ShopKey",
    "Transfer",
]

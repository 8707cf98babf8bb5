"""The tables of rewards, by duty."""

from rewards.models.badges import Badge, BadgeRule
from rewards.models.books import FUNDING, ISSUED, LAPSED, SPENT, Account, Counter, Hold, Transfer
from rewards.models.catalogue import Campaign, Offer, Shop, ShopKey
from rewards.models.discount_rules import DiscountRule
from rewards.models.earning import Allowance, EarningRule, Fact, Kudos, PendingByText
from rewards.models.gifts import Gift, LateConflict, Redemption
from rewards.models.review import ColleagueDigest, ReviewAct, ReviewItem

__all__ = [
    "FUNDING",
    "ISSUED",
    "LAPSED",
    "SPENT",
    "Account",
    "Allowance",
    "Badge",
    "BadgeRule",
    "Campaign",
    "ColleagueDigest",
    "Counter",
    "DiscountRule",
    "EarningRule",
    "Fact",
    "Gift",
    "Hold",
    "Kudos",
    "LateConflict",
    "Offer",
    "PendingByText",
    "Redemption",
    "ReviewAct",
    "ReviewItem",
    "Shop",
    "ShopKey",
    "Transfer",
]

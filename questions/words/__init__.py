"""What people read about questions: mail, inbox and SMS, in the reader's language; a file a reader.

Every function returns finished words for `notify`: title, body, sms, and perhaps link and link_text. An SMS aims at two
segments; what does not fit is cut at a word and continues with MEER.
"""

from questions.words.asker import answered as answered
from questions.words.asker import asked_back as asked_back
from questions.words.asker import breach as breach
from questions.words.asker import closed as closed
from questions.words.asker import closed_with as closed_with
from questions.words.asker import corrected as corrected
from questions.words.asker import expired as expired
from questions.words.asker import maybe as maybe
from questions.words.asker import not_yet as not_yet
from questions.words.asker import received as received
from questions.words.asker import relay_reminder as relay_reminder
from questions.words.asker import reused as reused
from questions.words.asker import waits_for_duty as waits_for_duty
from questions.words.cards import card as card
from questions.words.cards import card_ends_soon as card_ends_soon
from questions.words.cards import card_to_approve as card_to_approve
from questions.words.common import best_guesses as best_guesses
from questions.words.common import fit as fit
from questions.words.common import label as label
from questions.words.common import state_name as state_name
from questions.words.common import status_line as status_line
from questions.words.common import topic_name as topic_name
from questions.words.common import when as when
from questions.words.desk import desk_help as desk_help
from questions.words.desk import for_desk as for_desk
from questions.words.expert import approval as approval
from questions.words.expert import clarified as clarified
from questions.words.expert import heard_back as heard_back
from questions.words.expert import heard_back_short as heard_back_short
from questions.words.expert import held_back as held_back
from questions.words.expert import helped as helped
from questions.words.expert import needs_work as needs_work
from questions.words.expert import no_longer_needed as no_longer_needed
from questions.words.expert import offer as offer
from questions.words.expert import picture_shared as picture_shared
from questions.words.expert import reasons as reasons
from questions.words.expert import reminder as reminder
from questions.words.expert import too_late as too_late
from questions.words.expert import waits_for_approval as waits_for_approval
from questions.words.expert import what_will_be_shown as what_will_be_shown
from questions.words.expert import why as why
from questions.words.friend import friend_code as friend_code
from questions.words.friend import to_friend as to_friend

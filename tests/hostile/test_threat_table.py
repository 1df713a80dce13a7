"""The threat table of the peer-to-peer client: each attack or failure, and the tests that show it.

The table is what `ROWS` holds. A row's tests are named by file and function, so that whoever looks
for the proof of a promise finds it; those named here exist, and run with the others.
"""

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]


class Row(NamedTuple):
    """One threat; `shown_by` maps files below tests/ to their tests."""

    threat: str
    shown_by: dict[str, Sequence[str]]


CONFLICTS = "hostile/test_conflicts.py"
LIARS = "functional/test_liars.py"
MIXES = "hostile/test_mixes.py"
SYNC = "hostile/test_sync.py"
TIPS = "hostile/test_tips.py"
PEERS = "hostile/test_peers.py"
PAYMENTS = "hostile/test_payments.py"
CONNECTIONS = "hostile/test_connections.py"
FLOOD = "hostile/test_header_flood.py"
RANGES = "hostile/test_header_ranges.py"
HEADERS = "unit/chain/test_header_chain.py"
DIFFICULTY = "unit/chain/test_difficulty.py"
BOOK = "unit/chain/p2p/test_address_book.py"
MANAGER = "unit/chain/p2p/test_connections.py"
PROTOCOL = "unit/chain/p2p/test_protocol.py"
FUZZ = "fuzz/test_message_fuzz.py"

ROWS = {
    1: Row(
        "one peer omits a wallet script from a filter, with consistent filter headers",
        {
            LIARS: ["test_liars_and_one_honest_node"],
            CONFLICTS: [
                "test_a_proven_liar_is_banned_with_its_network",
                "test_a_liar_alone_finds_no_false_payment",
            ],
            PEERS: ["test_a_ban_outlasts_the_session_but_two_peers_stay"],
        },
    ),
    2: Row(
        "a liar and an honest peer",
        {
            LIARS: [
                "test_liars_and_one_honest_node",
                "test_an_honest_node_comes_after_the_liar_was_believed",
            ],
            CONFLICTS: [
                "test_one_honest_peer_wins_against_one_liar",
                "test_seven_hostile_of_eight",
            ],
            MIXES: ["test_seven_of_eight_are_hostile"],
            "hostile/test_mixed_wire.py": ["test_seven_of_eight_on_the_wire"],
        },
    ),
    3: Row(
        "all peers lie on filters",
        {
            LIARS: ["test_a_lie_that_all_tell_is_found_by_audit"],
            CONFLICTS: [
                "test_a_lie_that_everybody_tells_is_found_by_audit",
                "test_a_packaged_filter_header_needs_no_block",
                "test_a_majority_cannot_rewrite_what_is_packaged",
                "test_a_suspected_block_is_read_although_its_filter_says_nothing",
                "test_the_only_node_is_ones_own_and_wrong",
            ],
            MIXES: ["test_all_are_hostile"],
            TIPS: ["test_one_source_is_enough_and_is_called_so"],
        },
    ),
    4: Row(
        "a fake chain of low difficulty from a checkpoint on",
        {
            FLOOD: ["test_a_chain_that_ends_below_the_minimum_is_no_chain"],
            HEADERS: [
                "test_chain_starts_above_an_anchor",
                "test_nothing_reorganises_below_a_checkpoint",
                "test_checkpoint_must_be_met",
            ],
            RANGES: [
                "test_wrong_headers_are_proof_and_cost_nothing",
                "test_the_chain_may_not_leave_a_passed_checkpoint",
            ],
            "unit/chain/p2p/test_unproven_headers.py": ["test_every_rule_holds"],
        },
    ),
    5: Row(
        "a flood of headers, endless forks of little work",
        {
            FLOOD: [
                "test_a_flood_costs_little_memory_and_nobody_elses_progress",
                "test_a_flood_after_the_sync_changes_nothing",
                "test_a_slow_flood_loses_its_turn",
                "test_a_million_headers",
            ],
            HEADERS: ["test_side_branches_are_bounded"],
            "unit/chain/p2p/test_unproven_headers.py": [
                "test_no_more_headers_than_there_was_time_for",
                "test_no_more_than_fit",
            ],
        },
    ),
    6: Row(
        "a stale tip: new blocks are withheld",
        {
            LIARS: ["test_a_node_that_keeps_new_blocks_to_itself"],
            TIPS: [
                "test_an_old_tip_is_called_possibly_stale_and_others_are_asked",
                "test_a_laggard_makes_room_but_own_and_protected_peers_stay",
            ],
            PEERS: ["test_another_peer_comes_when_the_sync_asks"],
        },
    ),
    7: Row(
        "reorganisations of 1 to 100 blocks: online, offline, in the middle of a filter sync",
        {
            MIXES: ["test_reorganisations_of_every_depth"],
            LIARS: ["test_a_reorganisation_in_the_middle_of_a_filter_sync"],
            SYNC: ["test_random_lives", "test_stop_hashes_are_named_only_to_those_who_showed_them"],
            "functional/test_p2p_backend.py": [
                "test_reorganizations_while_online",
                "test_reorganizations_while_closed",
            ],
            "functional/test_sync_kills.py": ["test_killed_at_any_point_of_a_sync"],
        },
    ),
    8: Row(
        "time warp, blocks of the future, median time, the rules of testnet4",
        {
            DIFFICULTY: [
                "test_time_must_pass_the_median_of_eleven",
                "test_time_may_lie_two_hours_ahead",
                "test_testnet4_epoch_may_start_at_most_ten_minutes_back",
                "test_testnet4_late_block_must_have_minimum_difficulty",
                "test_testnet4_retargets_from_the_first_block_of_the_epoch",
            ],
            HEADERS: ["test_rules_hold_on_side_branches", "test_invalid_headers_change_nothing"],
            FLOOD: ["test_unsigned_blocks_of_a_signet_are_refused"],
        },
    ),
    9: Row(
        "silence, one byte a second, half a message, huge lengths, wrong checksums, junk",
        {
            MIXES: ["test_silence_costs_less_than_fifteen_seconds"],
            "hostile/test_mixed_wire.py": ["test_a_trickle_costs_less_than_fifteen_seconds"],
            "hostile/test_deaf_peer.py": ["test_a_peer_that_pings_and_never_reads"],
            CONNECTIONS: [
                "test_nonsense_does_not_keep_us_from_an_honest_peer",
                "test_encrypted_nonsense_does_not_keep_us_from_an_honest_peer",
                "test_a_trickle_of_bytes",
            ],
            PROTOCOL: [
                "test_huge_messages_are_refused_before_memory_is_taken",
                "test_a_wrong_checksum_hangs_up",
            ],
            FUZZ: ["test_streams_are_events_or_hung_up_on", "test_spoilt_answers_change_nothing"],
        },
    ),
    10: Row(
        "filters with a wrong hash, missing, doubled, out of order, of foreign blocks",
        {
            SYNC: [
                "test_a_filter_that_differs_from_its_header",
                "test_filters_that_were_not_asked_for_like_this",
            ],
            "functional/test_transport.py": [
                "test_somebody_in_between_who_edits",
                "test_cut_off_again_and_again",
            ],
        },
    ),
    11: Row(
        "filters that are bombs",
        {
            "unit/chain/test_gcs.py": [
                "test_hostile_filters_are_refused_wherever_they_stand",
                "test_bombs_cost_no_more_than_filters_of_their_size",
                "test_any_bytes_are_a_set_or_refused",
            ],
            "fuzz/test_engine_fuzz.py": ["test_mutated_input_never_leads_the_engine_astray"],
            SYNC: ["test_malformed_filters_that_were_agreed_on_are_read_in_full"],
        },
    ),
    12: Row(
        "a block with the right header: mutated tree, 64-byte transaction, wrong witness",
        {
            SYNC: ["test_a_mutated_block_is_fetched_elsewhere"],
            "unit/chain/test_native_blocks.py": [
                "test_engines_check_alike",
                "test_mutated_blocks_are_read_alike",
            ],
        },
    ),
    13: Row(
        "a block that all withhold",
        {
            "hostile/test_blocks.py": [
                "test_a_block_withheld_by_all_is_named_and_the_rest_goes_on"
            ],
            SYNC: ["test_a_withheld_block_is_asked_of_another_peer"],
            MIXES: ["test_silence_costs_less_than_fifteen_seconds"],
        },
    ),
    14: Row(
        "payments that the first peers drop",
        {
            PAYMENTS: [
                "test_peers_that_drop_a_payment_do_not_stop_it",
                "test_when_all_drop_it_that_is_found_out",
                "test_an_announcement_by_who_was_told_is_no_evidence",
            ],
            "functional/test_p2p_backend.py": ["test_broadcast_is_echoed_by_a_second_peer"],
            "functional/test_payments.py": [
                "test_a_payment_is_seen_to_spread",
                "test_a_payment_is_offered_again_when_the_node_lost_it",
            ],
        },
    ),
    15: Row(
        "a fake unconfirmed payment",
        {
            PAYMENTS: [
                "test_a_payment_that_one_peer_made_up_is_not_backed",
                "test_what_is_only_pushed_is_not_taken",
            ]
        },
    ),
    16: Row(
        "lies about fees",
        {
            PAYMENTS: ["test_liars_about_fees_move_nothing"],
            "unit/chain/p2p/test_fees.py": [
                "test_a_liar_with_zero_moves_nothing",
                "test_a_minority_of_liars_moves_the_minimum_nowhere",
            ],
        },
    ),
    17: Row(
        "a poisoned address book",
        {
            BOOK: [
                "test_one_flooding_source_gets_a_small_share",
                "test_a_source_does_not_push_out_what_is_good",
            ],
            PEERS: ["test_a_flood_of_addresses_is_let_in_at_a_bounded_rate"],
            MANAGER: ["test_one_netgroup_one_peer", "test_those_of_the_last_session_come_first"],
        },
    ),
    18: Row(
        "hijacked DNS",
        {
            PEERS: ["test_a_lying_seed_is_no_majority"],
            MANAGER: [
                "test_a_lying_seed_is_no_majority",
                "test_under_tor_seeds_are_dialled_and_never_looked_up",
            ],
        },
    ),
    19: Row(
        "somebody on the line: reads, changes, blocks",
        {
            "functional/test_transport.py": [
                "test_sync_encrypted",
                "test_sync_with_a_node_that_knows_no_encryption",
                "test_encrypted_only_refuses_such_a_node",
                "test_somebody_in_between_who_changes_encrypted_bytes",
                "test_somebody_in_between_who_changes_plain_bytes",
                "test_sync_through_tor",
            ],
            "hostile/test_connect.py": [
                "test_somebody_in_between_forces_clear_text_unless_it_is_forbidden"
            ],
            "hostile/test_proxies.py": ["test_everything_through_tor"],
        },
    ),
    20: Row(
        "what a peer learns of the wallet",
        {
            MIXES: ["test_no_peer_learns_of_more_than_two_fifths_of_our_blocks"],
            "hostile/test_blocks.py": [
                "test_no_peer_is_asked_for_more_than_two_fifths",
                "test_the_sender_of_the_filter_is_not_asked_for_the_block",
            ],
            PAYMENTS: ["test_with_tor_a_payment_takes_a_circuit_of_its_own_or_none"],
            "unit/chain/p2p/test_broadcast.py": [
                "test_who_served_filters_or_blocks_is_told_last",
                "test_more_peers_are_told_one_after_the_other_and_never_all",
            ],
        },
    ),
    21: Row(
        "a split of the chain",
        {
            LIARS: ["test_a_chain_split_is_told"],
            TIPS: ["test_a_split_that_lasts_is_told_and_nobody_is_blamed"],
        },
    ),
    22: Row(
        "full disk, damaged database, jumping clock, suspension, a new address",
        {
            "hostile/test_self_repair.py": [
                "test_a_full_disk",
                "test_a_damaged_database",
                "test_a_clock_that_jumps",
            ],
            "unit/storage/test_chain_db.py": ["test_damage_begins_anew"],
            "unit/chain/p2p/test_peer_care.py": [
                "test_after_sleep_dead_connections_are_found_at_once"
            ],
            "unit/chain/p2p/test_chain_start.py": [
                "test_a_damaged_store_keeps_what_lies_below_its_last_good_checkpoint"
            ],
            SYNC: [
                "test_stored_filter_headers_were_a_lie",
                "test_a_clock_that_is_behind_is_named_and_nobody_is_blamed",
            ],
            PEERS: ["test_when_all_die_at_once_nobody_is_blamed"],
        },
    ),
    23: Row(
        "service bits that lie",
        {
            PEERS: ["test_who_claims_filters_and_serves_none"],
            MANAGER: ["test_who_does_not_serve_what_it_claims"],
            SYNC: ["test_a_silent_peer_loses_its_work_to_another"],
        },
    ),
}
ASIDE = {
    "payments that other light clients miss": {
        MIXES: [
            "test_payments_at_the_edges_of_the_window",
            "test_a_changeless_spend_and_a_chain_of_payments_in_one_block",
        ],
        "functional/test_p2p_backend.py": ["test_payments_beyond_the_first_window_are_found"],
    },
}
"""What issue 3 wants shown beside the rows."""


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_row_is_there() -> None:
    assert list(ROWS) == list(range(1, 24))
    assert all(row.shown_by for row in ROWS.values())


@pytest.mark.parametrize("number", ROWS)
def test_the_names_in_a_row_exist(number: int) -> None:
    for file, names in ROWS[number].shown_by.items():
        assert names
        assert set(names) <= names_in(file), file


@pytest.mark.parametrize("what", ASIDE)
def test_the_tests_beside_the_rows_exist(what: str) -> None:
    for file, names in ASIDE[what].items():
        assert set(names) <= names_in(file), file

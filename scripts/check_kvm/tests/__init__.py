# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/check-kvm; scripts/check_kvm/tests/run runs them."""

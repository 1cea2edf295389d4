from rehearsal_world import CATALOG


def test_every_figure_names_its_source():
    for name, model in CATALOG.models.items():
        # Everything but the policy of this process is simulated; nothing here asks a server.
        assert model.backend == ("local" if name == "small-policy" else "simulated")
        assert model.price is not None, name
        assert model.price.source, name
        assert model.price.date, name
        assert all(figure.source and 0 <= figure.value <= 1 for figure in model.skills.values())
    assert CATALOG.simulated
    assert any(f.source != "assumed" for model in CATALOG.models.values() for f in model.skills.values())


def test_help_never_lowers_a_chance():
    pairs = [
        ("fact", "fact_document"),
        ("arithmetic", "computed"),
        ("maths", "computed"),
        ("code", "computed"),
        ("twodoc", "twodoc_documents"),
        ("twodoc_documents", "twodoc_computed"),
    ]
    for name, model in CATALOG.models.items():
        for alone, helped in pairs:
            if alone in model.skills:
                assert model.skills[helped].value >= model.skills[alone].value or alone == "arithmetic", name


def test_prices_are_the_published_ones_without_the_tenfold_slip():
    rates = {
        name: (model.price.input, model.price.output) for name, model in CATALOG.models.items() if model.price
    }
    assert rates["gpt-5"] == (1.25, 10.0)
    assert rates["gpt-5-mini"] == (0.25, 2.0)
    assert rates["qwen-math-7b"] == (0.2, 0.2)


def test_the_fewest_tokens_worth_a_call_hold_the_longest_ordinary_reply():
    for tool in CATALOG.tools.values():
        for alias, choice in tool.choices.items():
            assert 1.2 * choice.typical_output <= choice.min_output <= choice.max_output, alias
            assert choice.latency_source, alias
